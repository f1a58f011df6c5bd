locals {
  name  = upper(join("-", ["a", "b"]))
  safe  = try(local.none, "fallback")
  there = fileexists("ok/functions.hcl") ? "yes" : "no"
  list  = [for n in range(2) : format("t%d", n)]
  text  = trimspace(file("ok/name.txt"))
  both  = merge({ a = 1 }, { b = 2 })
  json  = jsonencode(local.both)
  is    = can(regex("^x", "xy")) && contains(local.list, "t1") && length(local.list) == 2
  env   = env("NOT_SET") == "" ? coalesce(null, "empty") : "set"
}

pipeline "p" {
  fail_fast = true

  stage "one" {
    run  = "echo ${local.name} ${local.safe} ${local.there} ${local.text} ${local.json} ${local.is} ${local.env}"
    dir  = "sub/dir"
    type = lookup({ a = "build" }, "a", "test")
  }

  stage "legs" {
    needs  = stage.one
    matrix = { os = local.list, n = [1, 2] }
    run    = "test ${matrix.os} ${matrix.n}"
    env    = { OS = matrix.os }
  }

  rollback "undo" {
    when = cancelled() || failed(stage.one, stage.legs) || failed()
    run  = "echo undone"
  }
}
