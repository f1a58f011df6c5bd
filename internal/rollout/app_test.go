package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/probe"
)

// TestMain is also the application that the tests deploy, and the run that they
// kill: the start command and the tests run this binary again.
func TestMain(m *testing.M) {
	switch os.Getenv("ROLLOUT_TEST_ROLE") {
	case "app":
		serveApp()
	case "run":
		runAndDie()
	case "run with agents":
		runAndDieWithAgents()
	case "agent":
		serveAgent()
	case "run on hosts":
		runAndDieOnHosts()
	default:
		os.Exit(runTests(m))
	}
}

// testRelease is what a release of the test application consists of.
type testRelease struct {
	Version   string
	Unhealthy bool          // its health check answers 503
	Moody     bool          // it is healthy until requests come through a proxy
	Sick      string        // name of the host on which its health check answers 503
	Faulty    int           // every nth request through a proxy, but for the health check, is answered with 500
	Slow      time.Duration // such requests take so long
}

// writeRelease makes a directory to ship.
func writeRelease(t *testing.T, r testRelease) string {
	t.Helper()
	dir := t.TempDir()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "release.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serveApp serves the release that its slot held when it was started, until it is told to end, and
// then finishes what it has begun.
func serveApp() {
	var r testRelease
	if err := json.Unmarshal([]byte(os.Getenv("ROLLOUT_TEST_RELEASE")), &r); err != nil {
		fmt.Println("app:", err)
		os.Exit(1)
	}
	host, _ := os.Hostname()
	fmt.Println("app: serving", r.Version)
	var asked, marked atomic.Int64
	finish := make(chan bool)
	handler := func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("X-Slot", os.Getenv("TURNOUT_SLOT"))
		if q.Header.Get(probe.Mark) != "" {
			marked.Add(1)
		}
		if q.URL.Path == "/marked" {
			fmt.Fprint(w, marked.Load())
			return
		}
		if r.Unhealthy || r.Sick == host && host != "" || r.Moody && q.Header.Get("X-Forwarded-For") != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if q.Header.Get("X-Forwarded-For") != "" && q.URL.Path != "/healthz" {
			time.Sleep(r.Slow) // what an application does for so long is not the test's
			if r.Faulty > 0 && asked.Add(1)%int64(r.Faulty) == 0 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}
		if q.URL.Path == "/slow" {
			fmt.Println("app: slow request")
			<-finish
		}
		if q.URL.Path == "/finish" {
			close(finish)
		}
		fmt.Fprint(w, r.Version)
	}
	server := &http.Server{Addr: ":" + os.Getenv("TURNOUT_PORT"), Handler: http.HandlerFunc(handler)}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		_ = server.Shutdown(limit)
	})
	fmt.Println("app:", server.ListenAndServe())
	<-ctx.Done()
}
