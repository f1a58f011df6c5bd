server "a" {
  host = "a.example.com
  prot = 22
}

server "b {
  host = "b.example.com"
  tgas = []
}
