pipeline "p" {
  stage "a" {
    run = "x"
  }

  stage "a" {
    run = "y"
  }

  stage "b" {
    needs = [stage.a, stage.a]
    run   = "z"

    retry {
      attempts = 1
    }

    retry {
      attempts = 2
    }
  }
}

pipeline "p" {
  stage "a" {
    run = "x"
  }
}
