pipeline "p" {
  stage "a" {
    run = "echo ${local.x"
  }

  stage "b" {
    run = "echo ${} ${1 +}"
    tiemout = "3m"
  }

  stage "c" {
    run = <<EOT
  never ends
  }
}
