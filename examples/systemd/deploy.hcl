# A program on one server: systemd runs it, nginx is in front of it.

variable "host" {
  description = "The server, as SSH reaches it."
}

ssh {
  user        = "deploy"
  become      = true # units and nginx's files belong to root
  private_key = env("SSH_PRIVATE_KEY")
  known_hosts = env("SSH_KNOWN_HOSTS")
}

server "vm" {
  host    = var.host
  address = "127.0.0.1" # where nginx, on the same server, finds the slots
}

environment "shop" {
  servers = server.vm
  root    = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  start = "systemctl restart shop@${slot.name}"
  stop  = "systemctl stop shop@${slot.name}"

  health {
    files = ["server.py"]

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
  stage "test" {
    run = "python3 -m py_compile app/server.py"
  }

  stage "deploy" {
    needs = [stage.test]

    deploy {
      environment = environment.shop
      release     = "app"
    }
  }
}
