server "a" {
  host = "a.example.com"

server "b" {
  host = "b.example.com"
}
