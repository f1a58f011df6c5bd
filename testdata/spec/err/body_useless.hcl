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
    env = { A = "b" }
    dir = "x"
    matrix = { a = ["b"] }
    deploy {
      environment = environment.shop
      release = "dist"
    }
  }
}
