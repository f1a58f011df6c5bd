pipeline "p" {
  stage "build" {
    run = "x"
  }

  stage "b" {
    needs = [stage.build]
    run   = "${stage.build.outputs} ${stage.build.output.tag} ${stage.build.outputs.a.b} ${stage.build.outputs[0]}"
  }
}
