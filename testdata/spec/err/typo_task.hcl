server "a" {
  host = "a.example.com"
}

task "t" {
  traget = server.a
  rnu = "true"
  stategy = "roling"
  retyr {
    atempts = 1
  }
}
