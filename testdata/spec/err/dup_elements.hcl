environment "shop" {
  shared = ["a", "b", "a"]
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}

server "a" {
  host = "a.example.com"
  tags = ["web", "web"]
}
