environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
    socket = "/run/x.sock"
  }

  slot "green" {
    port = 8082
  }

  slot "red" {
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
