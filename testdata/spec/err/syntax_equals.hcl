server "a" {
  host "a.example.com"
  port == 22
  user = = "x"
  tags = ["a" "b"]
  address: "10.0.0.1"
}

group "g" {
  servers = [server.a, server.bb]
}
