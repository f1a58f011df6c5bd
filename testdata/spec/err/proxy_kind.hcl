environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "caddy" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
