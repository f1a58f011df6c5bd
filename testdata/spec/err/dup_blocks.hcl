ssh {
  user = "a"
}

ssh {
  user = "b"
}

turnout {
}

turnout {
}
environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  health {
  }

  health {
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
