environment "shop" {
  root          = "/srv/shop"
  keep_previous = "stop"
  probe         = "off"
  watch         = "0s"

  slot "blue" {
    socket = "/run/shop/blue.sock"
  }

  slot "green" {
    socket = "/run/shop/green.sock"
  }

  start = "systemctl start shop@${slot.name} --property=Sock=${slot.socket} --chdir=${slot.path}"

  health {
    tcp           = true
    healthy_after = 1

    http {
      path = "/up"
      host = "shop.example.com"
    }
  }

  proxy "haproxy" {
    listen   = "127.0.0.1:8080"
    config   = "/etc/haproxy/shop.cfg"
    socket   = "/run/haproxy/admin.sock"
    hostname = "*.example.com"
  }
}
