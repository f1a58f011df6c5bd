server "a" {
  host = "a.example.com"
  via  = "b"
}

group "g" {
  servers = ["a"]
}

pipeline "p" {
  stage "x" {
    needs = ["y"]
    task  = "t"
  }
}
