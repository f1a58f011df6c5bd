# Turnout: https://github.com/org/deploy-action
#
#   turnout plan      what a run would do
#   turnout run       build, ship, switch, watch
#   turnout rollback  back to the release that served before

turnout {
  required_version = ">= 0.1"
}

variable "release" {
  description = "Directory to ship."
  type        = string
  default     = "dist"
}

environment "app" {
  root          = "/srv/app" # releases/<id>/, and blue → releases/…, green → releases/…
  keep_releases = 3

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  # One unit per slot: app@blue and app@green, each serving its slot's port.
  start = "sudo systemctl restart app@${slot.name}"
  stop  = "sudo systemctl stop app@${slot.name}"

  health {
    http {
      path        = "/healthz"
      max_latency = "500ms"
    }

    deadline = "60s"
  }

  proxy "nginx" {
    listen   = 80
    hostname = "app.example.com"
    config   = "/etc/nginx/conf.d/app.conf"
  }

  drain = "30s"
}

pipeline "release" {
  stage "build" {
    type    = "build"
    run     = "mkdir -p dist && cp -R public/. dist/" # your build
    timeout = "5m"
  }

  stage "test" {
    type  = "test"
    needs = [stage.build]
    run   = "test -s dist/index.html" # your tests
  }

  stage "deploy" {
    type  = "deploy"
    needs = [stage.test]

    deploy {
      environment = environment.app
      release     = var.release
    }
  }
}
