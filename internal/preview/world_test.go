package preview

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/operations"
	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// TestMain is also the application of the previews and the agent that brings
// them up: the start command and the tests run this binary again.
func TestMain(m *testing.M) {
	switch os.Getenv("PREVIEW_TEST_ROLE") {
	case "app":
		serveApp()
	case "agent":
		agent := machine.Agent{Lease: machine.DefaultLease, Handlers: operations.All()}
		if err := agent.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// serveApp answers every request with what its release says, and with 503 where
// that is "sick".
func serveApp() {
	text, err := os.ReadFile("text")
	if err != nil {
		fmt.Println("app:", err)
		os.Exit(1)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("TURNOUT_PORT"))
	if err != nil {
		fmt.Println("app:", err)
		os.Exit(1)
	}
	fmt.Println("app: serves", string(text))
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil { // an answer before the end of the body may get lost with it
				return
			}
			if string(text) == "sick" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprint(w, string(text))
		}))
	}()
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
}

const specText = `
preview "shop" {
  server    = server.here
  root      = "%[1]s/srv/${preview.name}"
  hostname  = "pr-${github.pull_request}.preview.example.com"
  ports     = "%[2]d-%[3]d"
  state_dir = "%[1]s/previews"
  max       = 40
  start     = "PREVIEW_TEST_ROLE=app setsid %[4]s & echo $! > ../../pid"
  stop      = "kill $(cat ../../pid)"

  health {
    interval      = "20ms"
    healthy_after = 1
    deadline      = "5s"
    http { path = "/" }
  }

  proxy "%[5]s" {
    listen = "%[6]s"
    main   = "%[7]s"
    %[8]s
  }
}

server "here" { connection = "local" }
`

// ofProxy is what else the spec has to say of a proxy.
func ofProxy(s proxy.Site, dir string) string {
	if s.Kind == proxy.HAProxy {
		return fmt.Sprintf("config = %q\nsocket = %q\nreload = %q", s.Config, s.Socket, s.Reload)
	}
	return fmt.Sprintf("config_dir = \"%s/conf.d\"\nerror_log = %q", dir, s.ErrorLog)
}

// world is a proxy and a server for previews.
type world struct {
	*proxytest.Proxy
	t       *testing.T
	text    string // of the spec
	preview *spec.Preview
	from    value.Port

	repository string // whose runs the requests are of

	mu     sync.Mutex
	steps  []string
	agents map[machine.Machine]*exec.Cmd
}

// forEachKind runs a test behind an nginx and behind a HAProxy.
func forEachKind(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	for _, kind := range []proxy.Kind{proxy.NGINX, proxy.HAProxy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, kind))
		})
	}
}

func newWorld(t *testing.T, kind proxy.Kind) *world {
	t.Helper()
	w := &world{t: t, Proxy: proxytest.Start(t, kind), from: ownPorts(), agents: make(map[machine.Machine]*exec.Cmd)}
	w.text = fmt.Sprintf(specText, w.Dir, w.from, w.from+portsEach-1, os.Args[0], kind, w.Site.Listen, w.Site.Main, ofProxy(w.Site, w.Dir))
	w.respec()
	t.Cleanup(w.endApps)
	return w
}

// respec reads the spec again, with each old text in it replaced by the new one.
func (w *world) respec(oldnew ...string) {
	w.t.Helper()
	w.text = strings.NewReplacer(oldnew...).Replace(w.text)
	s, problems := spec.Parse([]byte(w.text), "deploy.hcl", spec.Options{Dir: w.Dir})
	if problems.Failed() {
		w.t.Fatal(problems)
	}
	w.preview = s.Previews[0]
}

// write has the record of a preview say something else.
func (w *world) write(r Record) {
	w.t.Helper()
	if _, err := register.Note.Do(w.t.Context(), machine.At{}, register.Noting{Dir: string(w.preview.StateDir), Record: r}); err != nil {
		w.t.Fatal(err)
	}
}

// told fails unless each text is in a step. It forgets the steps.
func (w *world) told(texts ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range texts {
		if !slices.ContainsFunc(w.steps, func(step string) bool { return strings.Contains(step, text) }) {
			w.t.Errorf("not told: %q\n%s", text, strings.Join(w.steps, "\n"))
		}
	}
	w.steps = nil
}

// endApps ends what previews still run.
func (w *world) endApps() {
	all, _ := filepath.Glob(w.Dir + "/srv/*/pid")
	for _, file := range all {
		_ = exec.Command("sh", "-c", "kill -9 $(cat "+file+") 2>/dev/null").Run()
	}
}

// agent starts an agent of its own, as each run has one. It ends with the test.
func (w *world) agent() *machine.Child {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), "PREVIEW_TEST_ROLE=agent", "GORACE=atexit_sleep_ms=0"), os.Stderr
	child, err := machine.StartChild(w.t.Context(), "here", cmd)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = child.Close() })
	w.agents[child] = cmd
	return child
}

// kill ends an agent without a word.
func (w *world) kill(m machine.Machine) {
	if err := w.agents[m].Process.Kill(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) request(m machine.Machine, run string) Request {
	return Request{
		Preview: w.preview, Repository: w.repository, Holder: state.Holder{Run: run, Since: time.Now()},
		Machines: func(context.Context, *spec.Server) (machine.Machine, error) { return m, nil },
		Tell: func(s Step) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.steps = append(w.steps, fmt.Sprintf("%s: %s: %s", run, s.Preview, s.Text))
		},
	}
}

// release is a directory to ship.
func (w *world) release(text string) string {
	w.t.Helper()
	dir := w.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

func (w *world) bring(m machine.Machine, number int, text string) (Record, error) {
	return Bring(w.t.Context(), w.request(m, fmt.Sprint("up-", number, text)), Change{Number: number, Release: w.release(text)})
}

func (w *world) mustBring(m machine.Machine, number int, text string) Record {
	w.t.Helper()
	r, err := w.bring(m, number, text)
	if err != nil {
		w.t.Fatalf("pull request %d: %v\n%s", number, err, strings.Join(w.steps, "\n"))
	}
	return r
}

// answer is what the proxy says for the host name of a pull request.
func (w *world) answer(number int) (int, string) {
	w.t.Helper()
	scheme, host := "http://", fmt.Sprintf("pr-%d.preview.example.com", number)
	if w.preview.Proxy.TLS != nil {
		scheme = "https://"
	}
	request, err := http.NewRequest(http.MethodGet, scheme+string(w.Site.Listen.Local())+"/", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Host = host
	response, err := (&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{ServerName: host, InsecureSkipVerify: true},
	}}).Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// shows fails unless a pull request's host name answers with the text; "" is 404.
func (w *world) shows(number int, text string) {
	w.t.Helper()
	status, body := w.answer(number)
	if text == "" && status == http.StatusNotFound && strings.Contains(body, "no preview") {
		return
	}
	if text == "" || status != http.StatusOK || body != text {
		w.t.Errorf("pull request %d: %d %q, want %q", number, status, body, text)
	}
}

// certificate writes a certificate and its key into one file.
func (w *world) certificate() string {
	w.t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	own := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		w.t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	path := filepath.Join(w.Dir, "previews.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// worlds counts the ranges of ports that were given out.
var worlds atomic.Int32

const portsEach = 60

// ownPorts is the first of portsEach ports that no other test looks at: they are
// above those that proxytest gives out, and below those of outgoing connections.
func ownPorts() value.Port { return value.Port(30001 + portsEach*(worlds.Add(1)-1)) }

// holds fails unless exactly these pull requests have anything on the machine:
// records, folders, sites and ports.
func (w *world) holds(m machine.Machine, want []int) {
	w.t.Helper()
	all, err := List(w.t.Context(), w.request(m, "list"))
	if err != nil {
		w.t.Fatal(err)
	}
	var numbers []int
	ports := make(map[value.Port]bool)
	for _, r := range all {
		numbers = append(numbers, r.Number)
		ports[r.Port] = true
		if r.State != register.Up || r.Release == "" {
			w.t.Errorf("record: %+v", r)
		}
	}
	if !slices.Equal(numbers, want) || len(ports) != len(want) {
		w.t.Errorf("records of %v at %d ports, want %v", numbers, len(ports), want)
	}
	sites := len(want) + 1 // the domain has one
	if w.Site.Kind == proxy.HAProxy {
		sites = 1
		w.leadsTo(want)
	} else {
		w.found("conf.d/turnout-*.conf", sites)
	}
	w.found("srv/*", len(want))
	w.found("previews/sites/*", sites)
	for port := w.from; port < w.from+portsEach; port++ {
		free, err := register.Quiet.Do(w.t.Context(), machine.At{}, register.Silence{Port: port})
		if err != nil || free == ports[port] {
			w.t.Errorf("port %d: leased %v, and free %v, %v", port, ports[port], free, err)
		}
	}
}

func (w *world) found(pattern string, want int) {
	w.t.Helper()
	if found, _ := filepath.Glob(filepath.Join(w.Dir, pattern)); len(found) != want {
		w.t.Errorf("%s: %d, want %d: %q", pattern, len(found), want, found)
	}
}

// leadsTo fails unless HAProxy's file leads to exactly these pull requests.
func (w *world) leadsTo(want []int) {
	w.t.Helper()
	text, err := os.ReadFile(string(w.Site.Config))
	if err != nil {
		w.t.Fatal(err)
	}
	if got := strings.Count(string(text), "\nbackend shop-pr-"); got != len(want) {
		w.t.Errorf("%d backends, want those of %v", got, want)
	}
	for _, n := range want {
		if !strings.Contains(string(text), fmt.Sprintf("use_backend shop-pr-%d if", n)) {
			w.t.Errorf("nothing leads to %d", n)
		}
	}
}

// pulls are the open pull requests.
func pulls(open ...int) func(context.Context) ([]int, error) {
	return func(context.Context) ([]int, error) { return open, nil }
}

func sh(t *testing.T, dir, command string) {
	t.Helper()
	c := exec.Command("sh", "-c", command)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}
