environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    listen = 80
    socket = "/run/x.sock"
    main = "/etc/nginx/conf.d/shop.conf"
    template = ""
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
