locals {
  tag = "v1"
  b   = local.tagg
}

pipeline "p" {
  stage "s" {
    run = "echo ${local.tga} ${var.tag} ${gihub.sha} ${github.shaa} ${uper(local.b)}"
  }
}
