# A Docker Compose application on the server that the runner runs on: each slot is a
# project of its own, nginx is in front of both.

variable "version" {
  description = "Tag of the image."
}

environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  # compose.yaml gives the container TURNOUT_PORT.
  start = "cd ${slot.path} && docker compose --project-name shop-${slot.name} up --detach --force-recreate --remove-orphans"
  stop  = "cd ${slot.path} && docker compose --project-name shop-${slot.name} stop"

  health {
    files = ["compose.yaml", ".env"]

    http {
      path = "/healthz"
    }
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }

  watch = "30s"
  drain = "30s"
}

pipeline "release" {
  stage "build" {
    dir = "app"
    run = "CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=${var.version}' -o shop ."
  }

  stage "image" {
    needs = [stage.build]
    run   = "docker build --tag shop:${var.version} app"
  }

  # The release is what says which image runs, and how.
  stage "package" {
    needs = [stage.image]

    run = <<-EOT
      rm -rf dist && mkdir dist
      cp compose.yaml dist/
      echo IMAGE=shop:${var.version} > dist/.env
    EOT
  }

  stage "deploy" {
    needs = [stage.package]

    deploy {
      environment = environment.shop
      release     = "dist"
    }
  }
}
