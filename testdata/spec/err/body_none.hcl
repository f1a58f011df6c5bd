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
    type = "build"
  }

  stage "two" {
    run = "x"
    deploy {
      environment = environment.shop
    }
  }

  rollback "r" {
    when = failed()
  }

  rollback "q" {
    when = failed()
    run  = "x"
    deploy {
      environment = environment.shop
      release     = "dist"
      canary {}
    }
  }
}
