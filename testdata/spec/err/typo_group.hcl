server "a" {
  host = "a.example.com"
  tags = ["web"]
}

group "g" {
  tgas = ["wbe"]
}

group "h" {
  server = [server.a]
}
