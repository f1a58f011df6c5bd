server "a" {
  host = "a.example.com"
  via  = server.b
}

server "b" {
  host = "b.example.com"
  via  = server.a
}
