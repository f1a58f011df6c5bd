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
  stage "one" {
    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        analysis {
          source       = "prometheus"
          run          = "true"
          min_requests = 5

          prometheus {
            address  = "http://user:pass@prometheus:9090?x=y"
            token    = "t0ken"
            username = "u"

            metric "errors" {
              query = "up{slot=\"${slot.port}\"}"
              max   = "many"
            }

            metric "errors" {
              query = "up"
            }

            metric "title" {
              query = "up{title=\"${github.ref}\"}"
              max   = 1
            }
          }
        }
      }
    }
  }

  stage "two" {
    needs = [stage.one]

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        analysis {
          source = "prometheus"
        }
      }
    }
  }

  stage "three" {
    needs = [stage.two]

    deploy {
      environment = environment.shop
      release     = "dist"

      canary {
        analysis {
          prometheus {
            address = "http://prometheus:9090"
          }
        }
      }
    }
  }
}
