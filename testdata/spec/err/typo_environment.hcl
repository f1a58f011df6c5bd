environment "shop" {
  rot = "/srv/shop"

  slto "blue" {
    prot = 8081
  }

  slot "green" {
    port = 8082
  }

  proxy "ngnix" {
    lisen = 80
    confg = "/etc/nginx/conf.d/shop.conf"
  }
}
