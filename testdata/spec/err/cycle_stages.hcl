pipeline "p" {
  stage "a" {
    needs = [stage.c]
    run   = "x"
  }

  stage "b" {
    needs = [stage.a]
    run   = "x"
  }

  stage "c" {
    needs = [stage.b]
    run   = "x"
  }

  stage "self" {
    needs = [stage.self]
    run   = "x"
  }
}
