server "a" {
  host = "a.example.com"
  tags = ["web"]
}

group "g" {
}

group "h" {
  tags = ["wbe", "db"]
}
