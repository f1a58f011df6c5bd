server "a" {
  host = "ÿþ.example.com"
}
