pipeline "p" {
  stage "build" {
    run = "echo ${slot.name} ${matrix.a} ${preview.name} ${stage.build}"
    when = failed()
  }
}
