package health_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// app is an application that answers handler on a TCP port or a unix socket.
func app(t *testing.T, network string, handler http.HandlerFunc) value.Address {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	if network == "unix" {
		dir, err := os.MkdirTemp("/tmp", "t")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		server.Listener.Close()
		server.Listener, err = net.Listen("unix", filepath.Join(dir, "s"))
		if err != nil {
			t.Fatal(err)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	if network == "unix" {
		return value.Address("unix:" + server.Listener.Addr().String())
	}
	return value.Address(server.Listener.Addr().String())
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(30 * time.Millisecond):
	case <-r.Context().Done():
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/login", http.StatusFound)
}

func closedPort(t *testing.T) value.Address {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	return value.Address(listener.Addr().String())
}

// releaseDir holds index.html and a link to a file shared between releases.
func releaseDir(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "release")
	err := errors.Join(
		os.Mkdir(dir, 0o755),
		os.WriteFile(filepath.Join(root, "secrets.env"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "index.html"), nil, 0o644),
		os.Symlink("../secrets.env", filepath.Join(dir, "shared.env")),
		os.Symlink("nowhere", filepath.Join(dir, "dangling")),
	)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestParts(t *testing.T) {
	dir := releaseDir(t)
	up := health.HTTP{Path: "/up"}
	for _, test := range []struct {
		name  string
		check health.Check
		ok    bool
		text  string // contained in the finding
	}{
		{"files there", health.Check{Files: []string{"index.html", "shared.env"}}, true, "2 there"},
		{"files missing", health.Check{Files: []string{"index.html", "app.js", "dangling"}}, false, "app.js is missing, dangling is missing"},
		{"files outside", health.Check{Files: []string{"../secrets.env"}}, false, "../secrets.env is outside of the release"},
		{"files absolute", health.Check{Files: []string{"/etc/passwd"}}, false, "/etc/passwd is outside of the release"},

		{"tcp open", health.Check{TCP: true, Address: app(t, "tcp", hang)}, true, "connected in"},
		{"tcp closed", health.Check{TCP: true, Address: closedPort(t)}, false, "not connected: connection refused"},
		{"tcp by socket", health.Check{TCP: true, Address: app(t, "unix", hang)}, true, "connected in"},
		{"socket missing", health.Check{TCP: true, Address: "unix:/no/such.sock"}, false, "no such file"},

		{"http 2xx", health.Check{HTTP: &up, Address: app(t, "tcp", answers(204, ""))}, true, "GET /up: status 204 in "},
		{"http by socket", health.Check{HTTP: &up, Address: app(t, "unix", answers(200, "ok"))}, true, "status 200"},
		{"http wrong status", health.Check{HTTP: &up, Address: app(t, "tcp", answers(503, "no database\n"))}, false, `status 503, expected 2xx: "no database"`},
		{"http redirect", health.Check{HTTP: &up, Address: app(t, "tcp", redirect)}, false, `status 302, expected 2xx: redirects to "/login"`},
		{"http other status", health.Check{HTTP: &health.HTTP{Path: "/up", Status: []int{200, 302}}, Address: app(t, "tcp", redirect)}, true, "status 302"},
		{"http status not listed", health.Check{HTTP: &health.HTTP{Path: "/up", Status: []int{200, 302}}, Address: app(t, "tcp", answers(201, ""))}, false, "status 201, expected 200 or 302, without a body"},
		{"http body", health.Check{HTTP: &health.HTTP{Path: "/up", Body: `"(ok|up)"`}, Address: app(t, "tcp", answers(200, `{"is":"up"}`))}, true, "status 200"},
		{"http wrong body", health.Check{HTTP: &health.HTTP{Path: "/up", Body: `"ok"`}, Address: app(t, "tcp", answers(200, "starting"))}, false, `does not match "ok": "starting"`},
		{"http slow", health.Check{HTTP: &health.HTTP{Path: "/up", MaxLatency: 10 * time.Millisecond}, Address: app(t, "tcp", slow)}, false, "ms, more than 10ms"},
		{"http hangs", health.Check{HTTP: &up, Address: app(t, "tcp", hang)}, false, "connected, but no answer: nothing within 400ms"},
		{"http reset", health.Check{HTTP: &up, Address: app(t, "tcp", reset)}, false, "connection reset by peer"},
		{"http refused", health.Check{HTTP: &up, Address: closedPort(t)}, false, "not connected: connection refused"},

		{"run passes", health.Check{Run: `test -e index.html && test "$SLOT" = blue`, Env: map[string]string{"SLOT": "blue"}}, true, "exit status 0 in"},
		{"run fails", health.Check{Run: "echo no database; exit 3"}, false, "exit status 3\n    no database"},
		{"run hangs", health.Check{Run: "echo waiting; sleep 60"}, false, "timed out after 400ms\n    waiting"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.check.Dir, test.check.Timeout = dir, 400*time.Millisecond
			verdict, err := health.Once.On(t.Context(), machine.NewLocal("web"), test.check)
			if err != nil {
				t.Fatal(err)
			}
			if len(verdict.Last) != 1 || verdict.Rounds != 1 {
				t.Fatalf("verdict %+v, want one finding of one round", verdict)
			}
			found := verdict.Last[0]
			if verdict.Healthy != test.ok || found.OK != test.ok || !strings.Contains(found.Text, test.text) {
				t.Errorf("healthy %v, found %+v\nwant %v, %q", verdict.Healthy, found, test.ok, test.text)
			}
			if part, _, _ := strings.Cut(test.name, " "); found.Check != part && part != "socket" {
				t.Errorf("finding of %q", found.Check)
			}
			if test.ok == (verdict.Reason != "") {
				t.Errorf("healthy %v for the reason %q", verdict.Healthy, verdict.Reason)
			}
		})
	}
}

func TestHostHeader(t *testing.T) {
	hosts := make(chan string, 1)
	address := app(t, "tcp", func(_ http.ResponseWriter, r *http.Request) { hosts <- r.Host })
	check := health.Check{Address: address, HTTP: &health.HTTP{Path: "/", Host: "shop.example.com"}, Timeout: 10 * time.Second}
	if _, err := health.Once.On(t.Context(), machine.NewLocal("web"), check); err != nil {
		t.Fatal(err)
	}
	if host := <-hosts; host != "shop.example.com" {
		t.Errorf("asked for %q", host)
	}
}

// after answers 503 n times, then 200, then 503 again where it should.
func after(n int64, fails ...int64) http.HandlerFunc {
	var asked atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		i := asked.Add(1)
		for _, fail := range fails {
			if i == fail {
				w.WriteHeader(500)
				return
			}
		}
		if i <= n {
			w.WriteHeader(503)
		}
	}
}

func patient(address value.Address) health.Check {
	return health.Check{
		Address: address, HTTP: &health.HTTP{Path: "/up"}, TCP: true, Timeout: 10 * time.Second,
		Interval: 5 * time.Millisecond, HealthyAfter: 3, Deadline: time.Minute,
	}
}

func TestAwaitHealthy(t *testing.T) {
	var out bytes.Buffer
	check := patient(app(t, "tcp", after(2, 4)))
	verdict, err := health.Await.Stream(t.Context(), machine.NewLocal("web"), check, &out)
	if err != nil {
		t.Fatal(err)
	}
	// 503, 503, pass, 500, pass, pass, pass: a failure begins the row again.
	if !verdict.Healthy || verdict.Rounds != 7 || verdict.Passes != 3 || verdict.Latency <= 0 || verdict.Took <= 0 {
		t.Errorf("verdict %+v", verdict)
	}
	want := []string{"tcp passes", "http fails: GET /up of", "http passes", "http fails", "http passes"}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("said %q, want one line per change", lines)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is %q, want %q", i+1, line, want[i])
		}
	}
}

func TestAwaitUnhealthy(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*health.Check)
		reason string
	}{
		{"never up", func(c *health.Check) { c.Address = closedPort(t) }, "tcp: " /* and http */},
		{"always 503", func(c *health.Check) { c.Address = app(t, "tcp", answers(503, "")) }, "http: GET /up of "},
		{"too few passes", func(c *health.Check) { c.HealthyAfter = 1e6 }, "passes in a row fitted into 1s"},
		{"passes too late", func(c *health.Check) { c.Address, c.HealthyAfter = app(t, "tcp", after(3)), 1e6 }, "before that: http: GET /up of"},
		{"hangs past the deadline", func(c *health.Check) { c.Address = app(t, "tcp", hang) }, "http: GET /up of "},
	} {
		t.Run(test.name, func(t *testing.T) {
			check := patient(app(t, "tcp", answers(200, "")))
			check.Deadline = time.Second
			test.change(&check)
			began := time.Now()
			verdict, err := health.Await.On(t.Context(), machine.NewLocal("web"), check)
			if err != nil || verdict.Healthy || !strings.Contains(verdict.Reason, test.reason) {
				t.Errorf("%v, verdict %+v, want the reason %q", err, verdict, test.reason)
			}
			if took := time.Since(began); took < check.Deadline || took > check.Deadline+time.Minute {
				t.Errorf("took %s, deadline %s", took, check.Deadline)
			}
			if len(verdict.Last) != 2 {
				t.Errorf("last findings %+v, want tcp and http", verdict.Last)
			}
		})
	}
}

func TestAwaitCutShortKeepsTheReason(t *testing.T) {
	var asked atomic.Int64
	check := patient(app(t, "tcp", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(503)
			return
		}
		hang(w, r)
	}))
	check.Deadline = time.Second
	verdict, err := health.Await.On(t.Context(), machine.NewLocal("web"), check)
	if err != nil || verdict.Rounds != 1 || !strings.Contains(verdict.Reason, "status 503") {
		t.Errorf("%v, verdict %+v, want the 503 and not the round that the deadline cut", err, verdict)
	}
}

func TestAwaitCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("told to stop")
	check := patient(app(t, "tcp", func(_ http.ResponseWriter, r *http.Request) {
		cancel(cause)
		<-r.Context().Done()
	}))
	if _, err := health.Await.On(ctx, machine.NewLocal("web"), check); !errors.Is(err, cause) {
		t.Errorf("error %v, want the cause of the context", err)
	}
}

func ExampleVerdict() {
	verdict, _ := health.Once.On(context.Background(), machine.NewLocal("web"), health.Check{
		Dir: "/", Files: []string{"no-such-file"}, Timeout: time.Second,
	})
	fmt.Println(verdict.Healthy, verdict.Reason)
	// Output: false files: no-such-file is missing
}
