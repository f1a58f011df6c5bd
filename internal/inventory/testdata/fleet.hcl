ssh {
  user          = "deploy"
  identity_file = "~/.ssh/{{ lookup }}: #key\n"
  become        = true
  via           = server.bastion
}

server "bastion" {
  host   = "bastion.example.com"
  port   = 2222
  user   = "jump"
  become = false
}

server "inner" {
  host = "fd00::1"
}

server "web01" {
  host = "10.0.1.11"
  via  = server.inner
  tags = ["web", "eu-west"]
}

server "no" {
  host = "web02.example.com"
  tags = ["web"]
}

server "runner" {
  connection = "local"
}

group "web" {
  tags = ["web"]
}

group "back-end" {
  servers = [server.inner, server.runner]
}
