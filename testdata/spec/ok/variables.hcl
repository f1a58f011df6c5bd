variable "port" {
  type    = number
  default = 8081

  validation {
    condition     = var.port > 1024
    error_message = "The port must be above 1024."
  }
}

variable "hosts" {
  type    = map(object({ host = string, tags = optional(list(string), ["web"]) }))
  default = { a = { host = "a.example.com" } }
}

variable "token" {
  default   = "hunter2-default"
  sensitive = true
}

locals {
  second = local.first + 1
  first  = var.port
}

server "a" {
  host = var.hosts["a"].host
  tags = var.hosts.a.tags
}

environment "shop" {
  servers = [server.a]
  root    = "/srv/shop"

  slot "blue" {
    port = local.first
  }

  slot "green" {
    port = local.second
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}

pipeline "p" {
  stage "build" {
    run = "TOKEN=${var.token} make"
    env = {
      TITLE = github.title
      TOKEN = var.token
    }
  }

  stage "push" {
    needs = [stage.build]
    when  = github.ref == "refs/heads/main" && stage.build.outputs.tag != ""
    run   = "docker push app:${stage.build.outputs.tag}"
  }
}
