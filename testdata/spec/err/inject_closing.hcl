environment "shop" {
  root = "/srv/a}"

  slot "a}" {
    port = 8081
  }

  slot "green" {
    socket = "/run/a}.sock"
  }

  proxy "nginx" {
    listen = "127.0.0.1:80a}"
    hostname = "a}.example.com"
    config = "/etc/nginx/conf.d/a}.conf"
  }
}

server "a}" {
  host    = "a}"
  address = "a}"
  user    = "a}"
  tags    = ["a}"]
}
