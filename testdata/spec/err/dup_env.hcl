pipeline "p" {
  stage "a" {
    run = "x"
    env = {
      A = "1"
      A = "2"
    }
  }
}
