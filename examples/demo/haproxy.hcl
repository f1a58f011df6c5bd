# What "make demo PROXY=haproxy" puts in the place of the nginx block in deploy.hcl.
proxy "haproxy" {
  listen   = var.listen
  hostname = "shop.localhost"
  config   = "${var.proxy_dir}/conf.d/shop.cfg"
  main     = "${var.proxy_dir}/haproxy.cfg"
  socket   = "${var.proxy_dir}/admin.sock"
  reload   = "kill -USR2 $(cat ${var.proxy_dir}/haproxy.pid)"
}
