environment "shop" {
  root = "/srv/a\u0000b"

  slot "a\u0000b" {
    port = 8081
  }

  slot "green" {
    socket = "/run/a\u0000b.sock"
  }

  proxy "nginx" {
    listen = "127.0.0.1:80a\u0000b"
    hostname = "a\u0000b.example.com"
    config = "/etc/nginx/conf.d/a\u0000b.conf"
  }
}

server "a\u0000b" {
  host    = "a\u0000b"
  address = "a\u0000b"
  user    = "a\u0000b"
  tags    = ["a\u0000b"]
}
