pipeline "p" {
  stage "build" {
    run = " "
    timeout = "0s"
    dir = "../up"
    retry {
      attempts = -1
      backoff = "10s"
      backoff_max = "1s"
    }
  }
}
