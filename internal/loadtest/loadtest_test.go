package loadtest_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/org/deploy-action/internal/loadtest"
	"github.com/org/deploy-action/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, handler http.Handler) value.Address {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return value.Address(server.Listener.Addr().String())
}

// ask lets clients work until there are n requests, or the kinds' first ones are
// done where n is 0.
func ask(t *testing.T, address value.Address, n int, kinds ...loadtest.Kind) loadtest.Record {
	t.Helper()
	load := loadtest.Start(t.Context(), address, "shop.example.com", kinds...)
	for deadline := time.Now().Add(time.Minute); len(load.Seen()) < n && time.Now().Before(deadline); {
		<-time.After(5 * time.Millisecond)
	}
	return load.Stop()
}

func TestEveryKindSucceedsAtTheApp(t *testing.T) {
	before := time.Now()
	kinds := loadtest.Mix()
	record := ask(t, serve(t, loadtest.App("blue")), 200, kinds...)
	if failed := record.Failed(); len(failed) > 0 {
		t.Errorf("%d failed, the first: %+v", len(failed), failed[0])
	}
	if got := record.Kinds(); len(got) != len(kinds) {
		t.Errorf("kinds %q, want %d", got, len(kinds))
	}
	for _, r := range record {
		if r.Slot != "blue" || r.Status != 200 || r.Arrived.Before(before) || r.Took <= 0 {
			t.Fatalf("request %+v", r)
		}
	}
	for kind, atLeast := range map[string]time.Duration{"5 s response": 5 * time.Second, "5 s stream": 4900 * time.Millisecond, "slow POST 2 MB": 900 * time.Millisecond} {
		if took := record.Of(kind).Percentile(1); took < atLeast {
			t.Errorf("%s took %s", kind, took)
		}
	}
}

// hangUp answers and then closes the connection without having said so.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	buffered.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	buffered.Flush()
	conn.Close()
}

func TestStaleConnections(t *testing.T) {
	address := serve(t, http.HandlerFunc(hangUp))
	looks := ask(t, address, 10, loadtest.KeepAlive(1, 20*time.Millisecond))
	if failed := looks.Failed(); len(failed) > 0 {
		t.Errorf("a client that looks before it writes: %+v", failed[0])
	}
	blind := ask(t, address, 10, loadtest.Naive(1, 20*time.Millisecond))
	if got, want := len(blind.Failed()), len(blind)/2; got < want {
		t.Errorf("a client that does not look: %d of %d failed, want each reuse to fail", got, len(blind))
	}
}

func TestFailuresAreSeen(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "status 502"},
		{"body broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			w.Write([]byte("ok"))
		}, "status 200, then unexpected EOF"},
		{"reset", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			}
		}, "reset by peer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			record := ask(t, serve(t, test.handler), 3, loadtest.Fresh(1, time.Millisecond), loadtest.Post(1, time.Millisecond))
			for _, r := range record {
				if !strings.Contains(r.Error, test.want) && !strings.Contains(r.Error, "broken pipe") && !strings.Contains(r.Error, "EOF") {
					t.Fatalf("%s: error %q, want %q", r.Kind, r.Error, test.want)
				}
			}
		})
	}
}

func TestRecord(t *testing.T) {
	moment := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(ms int, slot string) loadtest.Request {
		when := moment.Add(time.Duration(ms) * time.Millisecond)
		return loadtest.Request{Kind: "get", Start: when, Took: time.Millisecond, Arrived: when, Slot: slot, Status: 200}
	}
	lost := at(35, "")
	lost.Arrived, lost.Status, lost.Kind, lost.Error = time.Time{}, 0, "post", "connection reset"
	record := loadtest.Record{at(-10, "green"), at(-5, "blue"), at(2, "blue"), at(9, "green"), at(7, "green"), at(4, "blue"), lost, at(60, "green")}

	if got, want := record.Shift(moment, "green"), (loadtest.Shift{Moved: true, FirstNew: 7 * time.Millisecond, LastOld: 4 * time.Millisecond}); got != want {
		t.Errorf("shift %+v, want %+v", got, want)
	}
	if got := record.Shift(moment, "red"); got.Moved || got.LastOld != 60*time.Millisecond {
		t.Errorf("shift to a slot nobody reached: %+v", got)
	}
	if got := record.LongestGap(); got != 51*time.Millisecond {
		t.Errorf("longest gap %s", got)
	}
	var out strings.Builder
	if err := record.Write(&out, moment, "green"); err != nil {
		t.Fatal(err)
	}
	want := `  traffic  requests  failed  p50  p99  first new  last old
  get      7         0       1ms  1ms  7ms        4ms
  post     1         1       0s   0s   never      0s
  all      8         1       1ms  1ms  7ms        4ms
  failed: post at 12:00:00.035: connection reset
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
