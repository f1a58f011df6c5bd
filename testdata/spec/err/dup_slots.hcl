environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "blue" {
    port = 8081
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
