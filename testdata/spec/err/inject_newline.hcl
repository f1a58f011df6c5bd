environment "shop" {
  root = "/srv/a\nb"

  slot "a\nb" {
    port = 8081
  }

  slot "green" {
    socket = "/run/a\nb.sock"
  }

  proxy "nginx" {
    listen = "127.0.0.1:80a\nb"
    hostname = "a\nb.example.com"
    config = "/etc/nginx/conf.d/a\nb.conf"
  }
}

server "a\nb" {
  host    = "a\nb"
  address = "a\nb"
  user    = "a\nb"
  tags    = ["a\nb"]
}
