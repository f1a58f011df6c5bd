# A Go program that listens on a socket: no ports to give out, and nobody reaches
# it but nginx.

variable "host" {
  description = "The server, as SSH reaches it."
}

variable "version" {
  description = "What the program says that it is."
}

ssh {
  user        = "deploy"
  become      = true # units and nginx's files belong to root
  private_key = env("SSH_PRIVATE_KEY")
  known_hosts = env("SSH_KNOWN_HOSTS")
}

server "vm" {
  host = var.host
}

environment "shop" {
  servers = server.vm
  root    = "/srv/shop"

  slot "blue" {
    socket = "/run/shop/blue.sock"
  }

  slot "green" {
    socket = "/run/shop/green.sock"
  }

  start = "systemctl restart shop@${slot.name}"
  stop  = "systemctl stop shop@${slot.name}"

  health {
    files = ["shop"]

    http {
      path = "/healthz"
    }
  }

  proxy "nginx" {
    servers = server.vm
    listen  = 80
    config  = "/etc/nginx/conf.d/shop.conf"
  }

  watch = "30s"
  drain = "30s"
}

pipeline "release" {
  stage "vet" {
    run = "go vet ."
  }

  stage "test" {
    run = "go test ."
  }

  stage "build" {
    run = "go build -trimpath -ldflags \"-s -w -X main.version=$VERSION\" -o dist/shop ."

    env = {
      CGO_ENABLED = "0"
      VERSION     = var.version
    }
  }

  stage "deploy" {
    needs = [stage.vet, stage.test, stage.build]

    deploy {
      environment = environment.shop
      release     = "dist"
    }
  }
}
