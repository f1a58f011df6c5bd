environment "shop" {
  root = "/srv/ехample"

  slot "ехample" {
    port = 8081
  }

  slot "green" {
    socket = "/run/ехample.sock"
  }

  proxy "nginx" {
    listen = "127.0.0.1:80ехample"
    hostname = "ехample.example.com"
    config = "/etc/nginx/conf.d/ехample.conf"
  }
}

server "ехample" {
  host    = "ехample"
  address = "ехample"
  user    = "ехample"
  tags    = ["ехample"]
}
