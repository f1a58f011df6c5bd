package value

import (
	"net"
	"strings"
)

// WebURL is the address of a site: a host and a port, which is left out where the
// scheme says it.
func WebURL(tls bool, host, port string) string {
	scheme, silent := "http", "80"
	if tls {
		scheme, silent = "https", "443"
	}
	if port == silent {
		return scheme + "://" + strings.TrimSuffix(net.JoinHostPort(host, ""), ":")
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
