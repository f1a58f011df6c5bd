group "g" {
  servers = [task.t]
}

server "a" {
  host = server.a
  via  = group.g
}

task "t" {
  target = []
  run    = environment.shop
}
