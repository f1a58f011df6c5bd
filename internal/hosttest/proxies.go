package hosttest

import "testing"

// The proxies are the distribution's own, as its package sets them up, without the
// site that it brings.

// StartNGINX starts nginx with /etc/nginx/nginx.conf, which reads
// /etc/nginx/conf.d/*.conf.
func (h *Host) StartNGINX(t testing.TB) {
	t.Helper()
	h.Exec(t, "rm -f /etc/nginx/sites-enabled/* /etc/nginx/conf.d/* && mkdir -p /var/log/nginx && nginx")
}

// HAProxyReload reloads the HAProxy of StartHAProxy, where systemd would.
const HAProxyReload = "kill -USR2 $(cat /run/haproxy.pid)"

// StartHAProxy starts HAProxy in master-worker mode with /etc/haproxy/haproxy.cfg
// and then /etc/haproxy/conf.d/shop.cfg, which is empty.
func (h *Host) StartHAProxy(t testing.TB) {
	t.Helper()
	h.Exec(t, `mkdir -p /run/haproxy /var/lib/haproxy /etc/haproxy/conf.d && : >/etc/haproxy/conf.d/shop.cfg
printf 'frontend other\n\tbind 127.0.0.1:8404\n\thttp-request return status 200\n' >>/etc/haproxy/haproxy.cfg
haproxy -W -D -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/conf.d/shop.cfg -p /run/haproxy.pid`)
}
