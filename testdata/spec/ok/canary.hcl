environment "shop" {
  root = "/srv/shop"

  slot "blue" { port = 8081 }
  slot "green" { port = 8082 }

  proxy "haproxy" {
    listen = "[::1]:8080"
    config = "/etc/haproxy/shop.cfg"
  }
}

pipeline "p" {
  stage "deploy" {
    deploy {
      environment = environment.shop
      release     = "dist"
      canary {}
    }
  }
}
