locals {
  branch = "x-${github.ref_name}"
  lower  = lower(local.branch)
}

pipeline "p" {
  stage "s" {
    run = "echo ${local.lower}"
    dir = local.branch
  }

  artifact "a" {
    path = "dist/${local.branch}"
  }
}
