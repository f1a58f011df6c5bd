pipeline "p" {
  stage "build" {
    run = "echo ${file("none.txt")} ${upper()} ${upper("a", "b")} ${regex("(", "x")} ${nothing(1)} ${env(1, 2)}"
  }
}
