variable "nothing" {
  default = null
}

server "web" {
  host = null
}

group "web" {
  tags = []
}

environment "shop" {
  root = var.nothing

  slot "blue" {
    port = null
  }

  slot "green" {
    port   = 8082
    socket = null
  }

  health {
    http {
      path = null
    }
  }

  proxy "nginx" {
    listen = null
    config = null
  }
}

pipeline "p" {
  stage "deploy" {
    deploy {
      environment = environment.shop
      release     = null

      canary {
        step {
          weight = null
        }
      }
    }
  }

  artifact "a" {
    path = null
  }
}
