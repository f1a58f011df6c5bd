environment "shop" {
  keep_releases = 0
  probe = -1
  drain = "-1s"
  watch = "1000d"
  start_timeout = "0s"
  lock_timeout = "5"
  keep_previous = "hot"
  root = "/srv/shop"

  slot "blue" {
    port = 0
  }

  slot "green" {
    port = 65536
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
