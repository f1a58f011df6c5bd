environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  start = "systemctl restart shop@${slot.name}"

  health {
    http {
      path = "/healthz"
    }
  }

  proxy "nginx" {
    listen   = 80
    hostname = "shop.example.com"
    config   = "/etc/nginx/conf.d/shop.conf"
  }
}

pipeline "release" {
  fail_fast = true

  stage "test" {
    matrix = { suite = ["$${{ secrets.KEY }}"] }
    run    = "true"
  }

  stage "turnout-finish" {
    needs = [stage.test]
    run   = "true"
  }

  stage "deploy" {
    needs = [stage.turnout-finish]

    deploy {
      environment = environment.shop
      release     = "dist"
    }
  }
}
