pipeline "p" {
  stage "deploy" {
    run = "x"
  }

  rollback "a" {
    when = failed(stage.deplyo)
    run  = "x"
  }

  rollback "b" {
    when = failed("deploy")
    run  = "x"
  }

  rollback "c" {
    when = cancelled(stage.deploy)
    run  = "${failed()}"
  }

  rollback "d" {
    run = "x"
  }
}
