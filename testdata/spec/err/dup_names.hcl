server "a" {
  host = "a.example.com"
}

server "a" {
  host = "b.example.com"
  prot = 22
}

group "g" {
  servers = [server.a]
}

group "g" {
  servers = [server.a]
}

variable "v" {
  default = "x"
}

variable "v" {
  default = "y"
}

locals {
  l = 1
}

locals {
  l = 2
}
