server "a" {
  connection = "local"
  host       = "a.example.com"
  user       = "root"
}

server "local" {
  host = "b.example.com"
}

server "c" {
  connection = "telnet"
}
