// Package bench measures what users feel, beside the peers: how long a switch
// takes and what it loses.
package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/value"
)

// contender is a proxy that can send its traffic to one of two slots.
type contender struct {
	address value.Address
	to      func(ctx context.Context, slot value.Name) error
}

var slots = []value.Name{"blue", "green"}

// startApps starts the application of each slot.
func startApps(t testing.TB) map[value.Name]value.Address {
	apps := make(map[value.Name]value.Address)
	for _, slot := range slots {
		server := httptest.NewServer(loadtest.App(string(slot)))
		t.Cleanup(server.Close)
		apps[slot] = value.Address(server.Listener.Addr().String())
	}
	return apps
}

// ours is nginx or HAProxy as turnout switches it, installed with blue serving.
func ours(t testing.TB, p *proxytest.Proxy) contender {
	t.Helper()
	site := p.Site
	for slot, address := range startApps(t) {
		site.Pools = append(site.Pools, proxy.Pool{Slot: slot, Addresses: []value.Address{address}})
	}
	slices.SortFunc(site.Pools, func(a, b proxy.Pool) int { return len(a.Slot) - len(b.Slot) })
	m := machine.NewLocal("local")
	t.Cleanup(func() { _ = m.Close() })
	rendered, err := proxy.Render(site)
	if err == nil {
		_, err = proxy.Put.On(t.Context(), m, proxy.Install{Site: site, Rendered: rendered, Active: "blue"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return contender{address: site.Listen.Local(), to: func(ctx context.Context, slot value.Name) error {
		_, err := proxy.Select.On(ctx, m, proxy.Selection{Site: site, Slot: slot})
		return err
	}}
}

// kamal is kamal-proxy, the program that KAMAL_PROXY names, with blue serving.
func kamal(t testing.TB) contender {
	t.Helper()
	program := os.Getenv("KAMAL_PROXY")
	if program == "" {
		t.Skip("kamal-proxy is not measured: set KAMAL_PROXY to its program")
	}
	apps, port, home := startApps(t), proxytest.FreePort(t), t.TempDir()
	command := func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home)
		return cmd
	}
	server := command(context.Background(), "run", "--http-port", strconv.Itoa(int(port)), "--https-port", strconv.Itoa(int(proxytest.FreePort(t))))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	c := contender{address: value.Address(fmt.Sprintf("127.0.0.1:%d", port))}
	c.to = func(ctx context.Context, slot value.Name) error {
		said, err := command(ctx, "deploy", "shop", "--target", string(apps[slot]), "--health-check-path", "/").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, said)
		}
		return err
	}
	proxytest.Await(t, func() error {
		conn, err := net.Dial("tcp", string(c.address))
		if err == nil {
			err = errors.Join(conn.Close(), c.to(t.Context(), "blue"))
		}
		return err
	})
	return c
}

// dense is clients that ask so often that a switch is seen within a millisecond.
func dense() []loadtest.Kind {
	return []loadtest.Kind{loadtest.KeepAlive(2, time.Millisecond), loadtest.Fresh(2, time.Millisecond)}
}

// BenchmarkSwitch measures, from the order to switch, the time to the first
// request at the new slot and to the last one at the old, in medians.
func BenchmarkSwitch(b *testing.B) {
	for name, start := range map[string]func(testing.TB) contender{
		"nginx":       func(t testing.TB) contender { return ours(t, proxytest.StartNGINX(t)) },
		"haproxy":     func(t testing.TB) contender { return ours(t, proxytest.StartHAProxy(t)) },
		"kamal-proxy": kamal,
	} {
		b.Run(name, func(b *testing.B) {
			c := start(b)
			var first, last []time.Duration
			var failed int
			for i := range b.N {
				shift, record := c.measure(b, slots[(i+1)%2])
				first, last, failed = append(first, shift.FirstNew), append(last, shift.LastOld), failed+len(record.Failed())
			}
			b.ReportMetric(0, "ns/op") // the pauses are most of it
			b.ReportMetric(median(first), "first-new-ms")
			b.ReportMetric(median(last), "last-old-ms")
			b.ReportMetric(float64(failed), "failed")
		})
	}
}

// measure switches once under dense load.
func (c contender) measure(b *testing.B, slot value.Name) (loadtest.Shift, loadtest.Record) {
	b.Helper()
	load := loadtest.Start(b.Context(), c.address, "shop", dense()...)
	pause(b, 200*time.Millisecond)
	moment := time.Now()
	if err := c.to(b.Context(), slot); err != nil {
		b.Fatal(err)
	}
	pause(b, 200*time.Millisecond)
	record := load.Stop()
	return record.Shift(moment, string(slot)), record
}

// pause lets the load run for a while: it is what is measured, not a way to
// wait for something.
func pause(t testing.TB, d time.Duration) {
	select {
	case <-t.Context().Done():
	case <-time.After(d):
	}
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2]) / float64(time.Millisecond)
}
