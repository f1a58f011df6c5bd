variable "token" {
  default   = "hunter2-token"
  sensitive = true
}

environment "shop" {
  root = "/srv/${var.token}"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    listen = 80
    hostname = "${var.token}.example.com"
    config = var.token
    reload = "reload ${var.token}"
    check = "check ${var.token}"
  }
}
