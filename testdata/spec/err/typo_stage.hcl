pipeline "p" {
  stage "build" {
    typ = "build"
    neds = [stage.tset]
    runn = "make"
    timout = "3m"
    on_failur = "stopp"
    rtry {
      attempts = 1
      backof = "5s"
    }
  }
  stage "test" {
    run = "x"
  }
}
