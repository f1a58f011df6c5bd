environment "shop" {
  root = 5
  servers = "web"
  keep_releases = "three"
  shared = "uploads"
  probe = "fast"
  drain = true

  slot "blue" {
    port = "http"
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    listen = "http"
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
