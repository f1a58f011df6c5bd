variable "version" {
  type = string
}

variable "api-token" {
  type      = string
  default   = ""
  sensitive = true
}

variable "color" {
  type    = string
  default = "blue"
}

environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  start = "systemctl restart shop@${slot.name}"
  stop  = "systemctl stop shop@${slot.name}"

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
  stage "build" {
    run     = "make VERSION=${var.version}"
    timeout = "3m"

    retry {
      attempts = 2
      backoff  = "20s"
    }
  }

  stage "test" {
    needs  = [stage.build]
    matrix = { suite = ["unit", "\"e2e\" / slow"] }
    run    = "make test-${matrix.suite}"
  }

  stage "deploy" {
    needs = [stage.test]

    deploy {
      environment = environment.shop
      release     = "dist"
    }
  }

  artifact "app" {
    path = "dist"
  }

  rollback "shop" {
    when = failed()

    deploy {
      environment = environment.shop
    }
  }
}
