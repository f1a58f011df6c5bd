}

server "a" {
  host = "a.example.com"
}}

server "b" {
  hots = "b.example.com"
}
