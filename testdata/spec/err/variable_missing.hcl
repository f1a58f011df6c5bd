variable "release" {
  type = string
}

pipeline "p" {
  stage "a" {
    run = "echo ${var.release}"
  }
}
