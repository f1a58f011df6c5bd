environment "shop" {
  root = "/srv/ä"

  slot "ä" {
    port = 8081
  }

  slot "green" {
    socket = "/run/ä.sock"
  }

  proxy "nginx" {
    listen = "127.0.0.1:80ä"
    hostname = "ä.example.com"
    config = "/etc/nginx/conf.d/ä.conf"
  }
}

server "ä" {
  host    = "ä"
  address = "ä"
  user    = "ä"
  tags    = ["ä"]
}
