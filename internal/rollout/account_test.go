package rollout

import (
	"testing"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

func TestPublicURL(t *testing.T) {
	here := []*spec.Server{{Connection: spec.Local}}
	there := func(host string) []*spec.Server { return []*spec.Server{{Connection: spec.SSH, Host: host}} }
	for want, p := range map[string]spec.Proxy{
		"http://shop.example.com":  {Hostname: "shop.example.com", Listen: value.Listen{Port: 80}, Servers: here},
		"http://localhost:8080":    {Listen: value.Listen{Port: 8080}, Servers: here},
		"http://edge01:8080":       {Hostname: "*.example.com", Listen: value.Listen{Host: "0.0.0.0", Port: 8080}, Servers: there("edge01")},
		"http://10.0.0.1":          {Listen: value.Listen{Host: "10.0.0.1", Port: 80}, Servers: there("edge01")},
		"http://[2001:db8::1]":     {Listen: value.Listen{Port: 80}, Servers: there("2001:db8::1")},
		"http://[2001:db8::1]:443": {Listen: value.Listen{Host: "::", Port: 443}, Servers: there("2001:db8::1")},
	} {
		if got := publicURL(&p); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}
