servr "a" {
  host = "a.example.com"
}

pipelin "p" {
  stage "s" {
    run = "x"
  }
}

foo {
}

x = 1
