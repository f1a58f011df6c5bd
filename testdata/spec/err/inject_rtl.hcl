environment "shop" {
  root = "/srv/a\u202eb"

  slot "a\u202eb" {
    port = 8081
  }

  slot "green" {
    socket = "/run/a\u202eb.sock"
  }

  proxy "nginx" {
    listen = "127.0.0.1:80a\u202eb"
    hostname = "a\u202eb.example.com"
    config = "/etc/nginx/conf.d/a\u202eb.conf"
  }
}

server "a\u202eb" {
  host    = "a\u202eb"
  address = "a\u202eb"
  user    = "a\u202eb"
  tags    = ["a\u202eb"]
}
