package probe_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/probe"
	"github.com/org/deploy-action/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a listener to probe.
func site(t *testing.T, handler http.HandlerFunc) value.Address {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return value.Address(server.Listener.Addr().String())
}

// probing starts a prober on a machine of its own.
func probing(t *testing.T, target probe.Target) machine.Machine {
	t.Helper()
	m := machine.NewLocal("edge")
	t.Cleanup(func() { m.Close() })
	target.Key, target.Path = "shop", "/up"
	if _, err := probe.Start.On(t.Context(), m, target); err != nil {
		t.Fatal(err)
	}
	return m
}

// samples waits until the prober has at least n.
func samples(t *testing.T, m machine.Machine, n int) []probe.Sample {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		all, err := probe.Read.On(t.Context(), m, "shop")
		if err != nil {
			t.Fatal(err)
		}
		if len(all) >= n {
			return all
		}
	}
	t.Fatalf("no %d samples within a minute", n)
	return nil
}

func TestProber(t *testing.T) {
	var connections atomic.Int64
	status := new(atomic.Int64)
	status.Store(200)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "shop.example.com" || r.URL.Path != "/up" {
			t.Errorf("asked %s of %s", r.URL, r.Host)
		}
		w.WriteHeader(int(status.Load()))
	}))
	server.Config.ConnState = newConnections(&connections)
	server.Start()
	t.Cleanup(server.Close)
	m := probing(t, probe.Target{Address: value.Address(server.Listener.Addr().String()), Host: "shop.example.com", Rate: 200})

	first := samples(t, m, 5)
	status.Store(502)
	seen := samples(t, m, len(first)+10)
	all, err := probe.Stop.On(t.Context(), m, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < len(seen) || int64(len(all)) != connections.Load() {
		t.Errorf("%d samples after Stop, %d before, %d connections: want one connection each", len(all), len(seen), connections.Load())
	}
	if first[0].Error != "" || first[0].Status != 200 || first[0].Took <= 0 {
		t.Errorf("first sample %+v", first[0])
	}
	if last := all[len(all)-1]; last.Error != "status 502" || last.At <= first[0].At {
		t.Errorf("last sample %+v", last)
	}
	if _, err := probe.Read.On(t.Context(), m, "shop"); err == nil || !strings.Contains(err.Error(), "nothing is probed for shop") {
		t.Errorf("Read after Stop: %v", err)
	}
}

func newConnections(n *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
}

func TestSlowAnswersDelayNobody(t *testing.T) {
	hang := make(chan struct{})
	var asked atomic.Int64
	address := site(t, func(_ http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 3 {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}
	})
	defer close(hang)
	m := probing(t, probe.Target{Address: address, Rate: 100, Timeout: 3 * time.Second})
	all := samples(t, m, 20)
	if all[0].Error != "" || all[0].Took > 2*time.Second {
		t.Errorf("first answer %+v: it waited for those that hang", all[0])
	}
	failed := 0
	for deadline := time.Now().Add(time.Minute); failed < 3 && time.Now().Before(deadline); {
		all, failed = samples(t, m, len(all)+1), 0
		for _, s := range all {
			if s.Error != "" {
				failed++
				if want := "nothing within 3s"; !strings.Contains(s.Error, want) {
					t.Errorf("error %q, want %q", s.Error, want)
				}
			}
		}
	}
	if failed != 3 {
		t.Errorf("%d requests timed out, want 3", failed)
	}
}

func TestInFlightIsBounded(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	var asked atomic.Int64
	address := site(t, func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		<-hang
	})
	m := probing(t, probe.Target{Address: address, Rate: 2000, Timeout: time.Hour})
	all := samples(t, m, 1)
	if want := "not sent: 200 requests without an answer"; all[0].Error != want {
		t.Errorf("first sample %+v, want %q", all[0], want)
	}
	if n := asked.Load(); n > 200 {
		t.Errorf("%d requests under way", n)
	}
}

func TestEndOfSessionStops(t *testing.T) {
	address := site(t, func(http.ResponseWriter, *http.Request) {})
	m := probing(t, probe.Target{Address: address, Rate: 100})
	samples(t, m, 2)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := probe.Stop.On(context.Background(), m, "shop"); err == nil {
		t.Error("Stop after the end of the session: no error")
	}
	// goleak (TestMain) sees a prober that went on.
}

func TestStartAgainReplaces(t *testing.T) {
	address := site(t, func(http.ResponseWriter, *http.Request) {})
	m := probing(t, probe.Target{Address: address, Rate: 200})
	before := samples(t, m, 10)
	if _, err := probe.Start.On(t.Context(), m, probe.Target{Key: "shop", Address: address, Path: "/", Rate: 200}); err != nil {
		t.Fatal(err)
	}
	after, err := probe.Read.On(t.Context(), m, "shop")
	if err != nil || len(after) >= len(before) {
		t.Errorf("%d samples after the second Start, %v: want a new prober", len(after), err)
	}
}

// TestSynthetic has a stream bear the mark, go on while nothing is read of it, and end
// at once with an answer that does not come under way: by Cease, by its limit, and with
// the session.
func TestSynthetic(t *testing.T) {
	for name, end := range map[string]func(m machine.Machine) error{
		"cease": func(m machine.Machine) error {
			_, err := probe.Cease.On(context.Background(), m, "shop")
			return err
		},
		"session": func(m machine.Machine) error { return m.Close() },
		"limit":   func(machine.Machine) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			asked, gone := make(chan string, 1000), make(chan bool, 1000)
			address := site(t, func(_ http.ResponseWriter, r *http.Request) {
				asked <- r.URL.Path + " " + r.Header.Get(probe.Mark)
				<-r.Context().Done()
				gone <- true
			})
			m := machine.NewLocal("edge")
			defer m.Close()
			stream := probe.Stream{Target: probe.Target{Key: "shop", Address: address, Path: "/up", Rate: 50, Timeout: time.Hour}, Limit: time.Hour}
			if name == "limit" {
				stream.Limit = 200 * time.Millisecond
			}
			if _, err := probe.Send.On(t.Context(), m, stream); err != nil {
				t.Fatal(err)
			}
			if _, err := probe.Read.On(t.Context(), m, "shop"); err == nil {
				t.Error("a stream keeps samples")
			}
			for range 3 {
				if got := <-asked; got != "/up 1" {
					t.Errorf("asked %q", got)
				}
			}
			if err := end(m); err != nil {
				t.Fatal(err)
			}
			<-gone
		})
	}
	m := machine.NewLocal("edge")
	defer m.Close()
	if _, err := probe.Cease.On(t.Context(), m, "shop"); err != nil {
		t.Errorf("nothing to end: %v", err)
	}
}
