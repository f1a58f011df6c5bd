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

environment "twin" {
  root = "/srv/twin"

  slot "blue" {
    port = 8083
  }

  slot "green" {
    port = 8084
  }

  proxy "nginx" {
    listen = 81
    config = "/etc/nginx/conf.d/twin.conf"
  }
}

pipeline "p" {
  stage "build" {
    timeout = "15m"

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        deadline = "10m"

        step {
          weight = 50
          hold   = "10m"
        }
        step {
          weight = 50
          hold   = "6m"
        }
        step {
          weight = 100
        }
        step {
          hold = "1x"
        }

        analysis {
          source            = "graphite"
          interval          = "1ms"
          max_error_rate    = 101
          max_latency_ratio = 0.5
          failures          = 1.5
          on_insufficient   = "wait"
          run               = "true"
        }
      }
    }
  }

  stage "again" {
    needs = [stage.build]

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        sticky         = "cookie"
        synthetic      = 51
        synthetic_path = "up"

        analysis {
          source       = "run"
          min_requests = 5
        }
      }
    }
  }

  stage "last" {
    needs = [stage.again]

    deploy {
      environment = environment.twin
      release     = "dist"

      canary {
        sticky    = "client_ip"
        synthetic = 5
      }
    }
  }

  stage "lost" {
    needs = [stage.last]

    deploy {
      environment = environment.twin
      release     = "dist"

      canary {
        sticky         = "client_ip"
        synthetic_path = "/up"
      }
    }
  }
}
