environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  health {
    files = ["a\nb"]
    http {
      path = "/up?x=1 HTTP/1.1\r\nHost: x"
      host = "a\r\nb"
    }
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
