server "web" {
  host = "web.example.com"
}

preview "shop" {
  server   = server.web
  root     = "/srv/${github.ref_name}/${preview.name}"
  hostname = "${github.head_ref}.preview.example.com"
  ports    = "20000-20009"
  release  = "dist/${github.label}"
  start    = "serve ${github.title} ${preview.port}"
  stop     = "stop ${github.body} ${preview.name}"

  health {
    http {
      path = "/${github.actor}"
    }
  }

  proxy "nginx" {
    listen     = 80
    config_dir = "/etc/nginx/${github.commit_message}"
    reload     = "echo ${github.head_repository}"
  }
}
