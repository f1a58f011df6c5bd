environment "shop" {
  root = "/srv/shop"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  health {
    files = [github.title]
    run   = "check ${github.title}"

    http {
      path = "/${github.ref_name}"
      host = github.ref_name
      body = github.title
    }
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/shop.conf"
  }
}
