server "a" {
  hots = "a.example.com"
  adress = "10.0.0.1"
  tag = ["web"]
  conection = "locl"
}
