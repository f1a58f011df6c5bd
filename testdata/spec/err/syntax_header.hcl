server = "a" {
  host = "a.example.com"
}

server "b"
{
  host = "b.example.com"
}

server “c” {
  host = "c.example.com"
}

task "t" {
  target = server.a
  run    = "x"
}
