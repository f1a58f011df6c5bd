pipeline "p" {
  stage "build" {
    run = "echo ${matrix.c}"
    matrix = {
      a = []
      b = ["x", "x", ""]
      d = "y"
    }
  }

  stage "many" {
    run    = "x"
    matrix = { a = range(20), b = range(20) }
  }

  stage "none" {
    run    = "x"
    matrix = {}
  }
}
