environment "shop" {
  state_dir = "var/lib"
  root = "/srv/../etc"

  slot "blue" {
    socket = "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  }

  slot "green" {
    port = 8082
  }

  proxy "nginx" {
    listen = 80
    config = "/etc/nginx//x/"
  }
}
