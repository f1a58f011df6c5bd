server "web" {
  host = "web.example.com"
}

preview "shop" {
  server   = server.web
  root     = "/srv/preview"
  hostname = "${preview.name}.preview.example.com"
  ports    = "20000-20009"
  start    = "serve"
  stop     = "stop"

  proxy "nginx" {
    listen = 80
  }
}

preview "docs" {
  server    = server.web
  root      = "/srv/${preview.name}"
  hostname  = "${preview.name}"
  ports     = "20005-20019"
  state_dir = "/var/lib/turnout/previews/shop"
  start     = "serve"
  stop      = "stop"

  health {
    run = "true"
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/docs.conf"
  }
}
