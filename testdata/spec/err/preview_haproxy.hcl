server "web" {
  host = "web.example.com"
}

environment "shop" {
  servers = [server.web]
  root    = "/srv/shop"
  slot "blue" {
    port = 8001
  }
  slot "green" {
    port = 8002
  }
  start = "x"
  proxy "haproxy" {
    servers = [server.web]
    listen  = 80
    config  = "/etc/haproxy/conf.d/shop.cfg"
  }
}

preview "shop" {
  server   = server.web
  root     = "/srv/previews/${preview.name}"
  hostname = "${preview.name}.preview.example.com"
  ports    = "20000-20009"
  start    = "serve"
  stop     = "stop"

  proxy "haproxy" {
    servers  = [server.web]
    listen   = 8080
    config   = "/etc/haproxy/conf.d/shop.cfg"
    hostname = "x.example.com"
  }
}

preview "docs" {
  server   = server.web
  root     = "/srv/previews/${preview.name}"
  hostname = "${preview.name}.preview.example.com"
  ports    = "20010-20019"
  start    = "serve"
  stop     = "stop"

  proxy "haproxy" {
    servers    = [server.web]
    listen     = 8080
    config_dir = "/etc/haproxy/conf.d"
  }
}
