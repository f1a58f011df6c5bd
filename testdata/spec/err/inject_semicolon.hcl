environment "shop" {
  root = "/srv/a;b"

  slot "a;b" {
    port = 8081
  }

  slot "green" {
    socket = "/run/a;b.sock"
  }

  proxy "nginx" {
    listen = "127.0.0.1:80a;b"
    hostname = "a;b.example.com"
    config = "/etc/nginx/conf.d/a;b.conf"
  }
}

server "a;b" {
  host    = "a;b"
  address = "a;b"
  user    = "a;b"
  tags    = ["a;b"]
}
