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
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
pipeline "p" {
  stage "build" {
    deploi {
      enviroment = environment.shpo
      relase = "dist"
      canry {
        setp {
          wieght = 10
          hodl = "1m"
        }
        stiky = "cooky"
        anlysis {
          sorce = "proxy"
          min_request = 5
        }
      }
    }
  }
}
