pipeline "p" {
  stage "test" {
    matrix = { suite = ["unit", "integration"] }
    run    = "echo tag=${matrix.suite} >>$TURNOUT_OUTPUT"
  }

  stage "tell" {
    needs = [stage.test]
    run   = "echo ${stage.test.outputs.tag}"
  }
}
