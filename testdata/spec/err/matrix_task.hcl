task "warm" {
  target = server.here
  run    = "./warm"
}

server "here" {
  connection = "local"
}

pipeline "p" {
  stage "warm" {
    matrix = { suite = ["unit", "integration"] }
    task   = task.warm
  }
}
