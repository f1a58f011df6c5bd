ssh {
  user            = "a b"
  port            = 70000
  fingerprint     = "SHA256:x"
  agent           = "bin/turnout"
  connect_timeout = "soon"
  become          = "perhaps"
  via             = server.none
}
