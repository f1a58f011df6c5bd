pipeline "p" {
  stage "test" {
    run = "x"
  }

  artifact "paths" {
    path = ["dist", "/srv/dist", "../up", "a/{..,b}", "!", "", "dist/", "./dist", "a//b", "dist/[a-", "!{a,b", "x\\", "a\nb"]
  }

  artifact "ours" {
    path = ["**", ".turnout/runs", "!.turnout/runs"]
  }

  artifact "none" {
    path = []
    keep = 0
  }

  artifact "out" {
    path = ["!dist/**", "!src"]
    keep = 1.5
  }

  artifact "number" {
    path = 5
  }

  artifact "twice" {
    path     = ["dist", "dist"]
    required = "perhaps"
  }

  artifact "typo" {
    path = "dist"
    when = failed(stage.tset)
  }

  artifact "quoted" {
    path = "dist"
    when = failed("test") || cancelled(stage.test)
  }

  artifact "word" {
    path = "dist"
    when = "always"
  }

  artifact "pathless" {
  }
}
