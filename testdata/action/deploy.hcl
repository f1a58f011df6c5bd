# The self-test of the action: inside its container, two releases of a site go
# live one after the other behind a real nginx.

variable "greeting" {
  type = string
}

environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  start = "/usr/local/bin/slot ${slot.name} ${slot.port}"

  health {
    files = ["index.html"]

    http {
      path = "/index.html"
    }

    interval      = "200ms"
    healthy_after = 2
  }

  proxy "nginx" {
    listen = 8080
    config = "/etc/nginx/conf.d/shop.conf"
  }

  watch = "2s"
  drain = "1s"
}

pipeline "selftest" {
  stage "install" {
    type = "setup"
    run  = "./install.sh"
  }

  stage "build" {
    type = "build"
    run  = "rm -rf dist && cp -R site dist && echo '${var.greeting}' >> dist/v2/index.html"
  }

  stage "deploy_v1" {
    type  = "deploy"
    needs = [stage.install, stage.build]

    deploy {
      environment = environment.shop
      release     = "dist/v1"
    }
  }

  stage "see_v1" {
    type  = "test"
    needs = [stage.deploy_v1]
    run   = "curl -fsS http://127.0.0.1:8080/index.html | grep v1"
  }

  stage "deploy_v2" {
    type  = "deploy"
    needs = [stage.see_v1]

    deploy {
      environment = environment.shop
      release     = "dist/v2"
    }
  }

  stage "see_v2" {
    type  = "test"
    needs = [stage.deploy_v2]
    run   = "curl -fsS http://127.0.0.1:8080/index.html | grep v2"
  }

  # Orphans become children of process 1, which has to reap them.
  stage "orphans" {
    type  = "test"
    needs = [stage.see_v2]
    run   = <<-EOT
      (setsid sh -c 'exec >/dev/null 2>&1; : >/tmp/ended' &)
      until [ -e /tmp/ended ]; do sleep 0.01; done
      for try in $(seq 500); do
        grep -lE '^[0-9]+ \(.*\) Z' /proc/[0-9]*/stat 2>/dev/null || exit 0
        sleep 0.01
      done
      exit 1
    EOT
  }
}
