pipeline "p" {
  stage "build" {
    run = "x"
    retry = {
      attempts = 1
    }
    env {
      A = "b"
    }
    needs {
    }
  }
}
