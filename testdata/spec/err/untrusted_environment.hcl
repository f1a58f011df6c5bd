environment "shop" {
  root = "/srv/${github.ref_name}"
  start = "start ${github.actor}"
  stop = github.ref

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    listen = 80
    hostname = "${github.ref_name}.example.com"
    check = "nginx -t # ${github.title}"
    reload = github.title
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
