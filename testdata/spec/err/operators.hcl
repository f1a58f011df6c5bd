pipeline "p" {
  stage "build" {
    run = "echo ${1 + "a"} ${!"x"} ${[1][3]} ${{ a = 1 }.b} ${null}"
  }
}
