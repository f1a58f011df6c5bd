server "a" {
  host = "a.example.com"
}

task "t" {
  target       = server.a
  run          = ""
  strategy     = "rolling"
  batch        = "0%"
  max_failures = "101%"
  on_failure   = "ignore"
}

task "u" {
  target = server.a
  run    = "true"
  batch  = 2
  pause  = "1s"
}
