pipeline "p" {
  stage "build" {
    run = "echo ${stage.test.outputs.tag}"
  }

  stage "test" {
    run = "echo ${stage.tset.outputs.tag}"
  }
}
