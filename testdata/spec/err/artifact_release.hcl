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
  stage "typo" {
    deploy {
      environment = environment.shop
      release     = artifact.ap
    }
  }

  stage "place" {
    run = "cp ${artifact.app} /srv"
  }

  artifact "app" {
    path = "dist"
  }
}

pipeline "none" {
  stage "other" {
    deploy {
      environment = environment.shop
      release     = artifact.app
    }
  }
}
