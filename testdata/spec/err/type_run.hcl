pipeline "p" {
  stage "build" {
    run = ["npm ci", "npm test"]
    timeout = 30
    needs = "test"
    env = "A=B"
    matrix = ["a"]
    when = "sometimes"
    type = null
  }
}
