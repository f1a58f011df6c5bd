variable "reports" {
  type    = list(string)
  default = ["reports/**/*.xml", "coverage/{lcov,clover}.*"]
}

pipeline "release" {
  stage "build" {
    run = "echo kind=full >> $TURNOUT_OUTPUT"
  }

  stage "test" {
    needs = [stage.build]
    run   = "make test"
  }

  artifact "app" {
    path = "dist"
  }

  artifact "maps" {
    path     = ["dist/**/*.map", "src/[a-z]*.ts", "docs/\\[draft\\].md", "!dist/vendor", "!**/.cache"]
    keep     = 1
    required = true
    when     = stage.build.outputs.kind == "full"
  }

  artifact "reports" {
    path = var.reports
    when = true
  }

  artifact "screenshots" {
    path = ["shots", ".git/HEAD"]
    when = failed(stage.test) && !cancelled()
  }
}
