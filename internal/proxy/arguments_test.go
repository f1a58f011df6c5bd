package proxy

import (
	"slices"
	"strings"
	"testing"
)

func TestConfigurationsOfACommandLine(t *testing.T) {
	for line, want := range map[string][]string{
		"/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock": {"/etc/haproxy/haproxy.cfg"},
		"haproxy -sf 17 18 -x /run/admin.sock -W -f a.cfg -f /etc/haproxy/conf.d":                           {"/srv/edge/a.cfg", "/etc/haproxy/conf.d"},
		"haproxy -W -- a.cfg /b.cfg": {"/srv/edge/a.cfg", "/b.cfg"},
		"haproxy -W":                 nil,
		"haproxy -f":                 nil,
	} {
		words := strings.Fields(line)
		if got := (arguments{words: words, dir: "/srv/edge"}).configurations(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if got := (arguments{words: []string{"haproxy", "-f", "a.cfg"}}).configurations(); got != nil {
		t.Errorf("in a directory that can't be seen: %q", got)
	}
}
