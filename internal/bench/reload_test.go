package bench

import (
	"slices"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// BenchmarkReload counts the requests that fail around one reload: of a deploy
// that changes the configuration, and of an administrator's plain reload. Most
// are of clients that reuse a connection without looking whether it was closed.
func BenchmarkReload(b *testing.B) {
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		b.Run(string(kind)+"/plain", func(b *testing.B) {
			s := newChanging(b, kind)
			s.measure(b, func() { s.proxy.Reload() })
		})
		b.Run(string(kind)+"/deploy", func(b *testing.B) {
			s := newChanging(b, kind)
			s.measure(b, func() { s.put(b) })
		})
	}
}

// changing is a proxy whose configuration is another at each put.
type changing struct {
	proxy      *proxytest.Proxy
	machine    machine.Machine
	site       proxy.Site
	generation int
}

func newChanging(b *testing.B, kind proxy.Kind) *changing {
	s := &changing{proxy: proxytest.Start(b, kind), machine: machine.NewLocal("local")}
	b.Cleanup(func() { _ = s.machine.Close() })
	s.site = s.proxy.Site
	apps := startApps(b)
	for _, slot := range slots {
		s.site.Pools = append(s.site.Pools, proxy.Pool{Slot: slot, Addresses: []value.Address{apps[slot]}})
	}
	s.put(b)
	return s
}

// put installs a configuration with one address more, or one less, in the idle
// slot.
func (s *changing) put(b *testing.B) {
	b.Helper()
	idle := &s.site.Pools[1]
	if len(idle.Addresses) == 1 {
		idle.Addresses = append(slices.Clone(idle.Addresses), s.site.Pools[0].Addresses[0])
	} else {
		idle.Addresses = idle.Addresses[:1]
	}
	rendered, err := proxy.Render(s.site)
	if err != nil {
		b.Fatal(err)
	}
	installed, err := proxy.Put.On(b.Context(), s.machine, proxy.Install{Site: s.site, Rendered: rendered, Active: "blue", Expect: s.generation})
	if err != nil || !installed.Reloaded {
		b.Fatalf("reloaded %v: %v", installed.Reloaded, err)
	}
	s.generation = installed.Generation
}

func (s *changing) measure(b *testing.B, reload func()) {
	kinds := []loadtest.Kind{
		loadtest.KeepAlive(4, 10*time.Millisecond), loadtest.Naive(8, 25*time.Millisecond),
		loadtest.Fresh(2, 10*time.Millisecond), loadtest.Post(2, 25*time.Millisecond),
	}
	load := loadtest.Start(b.Context(), s.site.Listen.Local(), "shop", kinds...)
	for range b.N {
		pause(b, 300*time.Millisecond)
		reload()
	}
	pause(b, 300*time.Millisecond)
	failed := load.Stop().Failed()
	b.ReportMetric(0, "ns/op") // the pauses are most of it
	b.ReportMetric(float64(len(failed))/float64(b.N), "failed/reload")
	b.ReportMetric(float64(len(failed)-len(failed.Of("naive keep-alive")))/float64(b.N), "failed/reload-of-careful-clients")
}
