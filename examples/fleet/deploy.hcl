# Three application servers behind an nginx and a HAProxy, all reached through a jump host. The
# job that runs turnout needs nothing but its key.

ssh {
  user        = "deploy"
  private_key = env("SSH_PRIVATE_KEY")
  known_hosts = env("SSH_KNOWN_HOSTS") # turnout servers trust prints it
  become      = true                   # the proxies' files belong to root
  via         = server.bastion
}

variable "network" {
  description = "The first three numbers of the servers' addresses."
  default     = "10.0.1"
}

variable "release" {
  description = "What to ship: a directory or an archive."
  default     = "dist"
}

server "bastion" {
  host   = "${var.network}.15"
  become = false
}

server "web1" {
  host = "${var.network}.10"
  tags = ["web"]
}

server "web2" {
  host = "${var.network}.11"
  tags = ["web"]
}

server "web3" {
  host = "${var.network}.12"
  tags = ["web"]
}

server "proxy1" {
  host = "${var.network}.13"
}

server "proxy2" {
  host = "${var.network}.14"
}

group "web" {
  tags = ["web"]
}

environment "shop" {
  servers = group.web
  root    = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  start = "/usr/local/bin/service restart ${slot.name}" # systemctl restart shop@${slot.name}
  stop  = "/usr/local/bin/service stop ${slot.name}"

  health {
    http {
      path = "/"
      body = "^v[0-9]+$"
    }

    healthy_after = 2
    interval      = "100ms"
    deadline      = "10s"
  }

  proxy "nginx" {
    servers = server.proxy1
    listen  = 80
    config  = "/etc/nginx/conf.d/shop.conf"
  }

  proxy "haproxy" {
    servers = server.proxy2
    listen  = 80
    config  = "/etc/haproxy/conf.d/shop.cfg"
    reload  = "kill -USR2 $(cat /run/haproxy.pid)" # systemctl reload haproxy, the default, where systemd runs it
  }

  watch = "1s"
  drain = "5s"
}

pipeline "release" {
  stage "deploy" {
    deploy {
      environment = environment.shop
      release     = var.release
    }
  }
}
