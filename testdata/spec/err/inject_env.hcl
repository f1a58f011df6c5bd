pipeline "p" {
  stage "a" {
    run = "x\u0000y"
    env = {
      "A=B"       = "x"
      "1A"        = "x"
      "A B"       = "x"
      TURNOUT_RUN = "x"
    }
  }
}
