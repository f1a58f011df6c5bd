environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  helath {
    file = ["a"]
    intervall = "1s"
    healty_after = 0
    htpp {
      pth = "/up"
      max_latncy = "500"
    }
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
