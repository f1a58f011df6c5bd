server "a" {
  host = "a.example.com"
  port = 22
  host = "b.example.com"
  port = 0
}
