server {
  host = "a.example.com"
}

server "a" "b" {
  host = "a.example.com"
}

locals "x" {
}

environment {
  root = "x"
}
