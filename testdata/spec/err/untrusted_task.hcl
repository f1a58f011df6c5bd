server "a" {
  host = "${github.actor}.example.com"
}

task "t" {
  target = server.a
  run    = "echo ${github.triggering_actor}"
}

preview "shop" {
  server   = server.a
  root     = "/srv/${github.head_ref}"
  hostname = "${github.head_ref}.example.com"
  ports    = "20000-20999"
  start    = "x ${github.title}"
  proxy "nginx" {
    listen = 80
  }
}
