environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  health {
    interval      = "10s"
    timeout       = "0s"
    healthy_after = 10
    deadline      = "60s"

    http {
      path   = "up"
      status = [200, 99, 600, 200]
      body   = "("
      max_latency = "fast"
    }
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
