server "web01" {
  host = "a.example.com"
}

group "web" {
  servers = [server.web02, server.wbe01]
}

task "t" {
  target = group.wbe
  run    = "true"
}
