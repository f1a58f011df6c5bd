ssh {
  via  = server.bastion
  user = "deploy"
}

server "bastion" {
  host        = "bastion.example.com"
  fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
}

server "inner" {
  host   = "10.0.0.5"
  port   = 2222
  become = true
  agent  = "/usr/local/bin/turnout"
}

server "local" {
  connection = "local"
}

task "patch" {
  target       = [server.inner, server.local]
  run          = "uname -a"
  on_failure   = "stop"
  max_failures = "50%"
  env          = { LANG = "C" }

  retry {
    attempts    = 2
    backoff     = "1s"
    backoff_max = "10s"
  }
}
