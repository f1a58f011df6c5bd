server "a" {
  host = "a.example.com"
  user = "x"
  port = 22;
  tags = ['web']
}
