package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/internal/ssh/sshtest"
)

// serveApp answers every request with what its release says.
func serveApp() {
	text, err := os.ReadFile(filepath.Join(os.Getenv("TURNOUT_PATH"), "text"))
	if err == nil {
		err = http.ListenAndServe("127.0.0.1:"+os.Getenv("TURNOUT_PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(text)
		}))
	}
	fmt.Println("app:", err)
	os.Exit(1)
}

// server is this machine as containers reach it: an sshd at the engine's network,
// with an nginx behind which the application runs. It outlives every container.
type server struct {
	*proxytest.Proxy
	sshd *sshtest.Server
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{Proxy: proxytest.StartNGINX(t), sshd: sshtest.New(t, sshtest.Options{Address: gateway(t)})}
	write(t, s.Dir+"/app", fmt.Sprintf(app, s.Dir, os.Args[0]))
	t.Cleanup(func() { // what runs is this binary, which goes with the test
		_ = exec.Command("sh", "-c", "kill -9 $(cat "+s.Dir+"/*.pid) 2>/dev/null").Run()
	})
	return s
}

// app starts and stops what runs under a name; a name that is stopped has let go
// of its port.
const app = `cd %[1]s
if [ -s $2.pid ]; then
  pid=$(cat $2.pid)
  kill $pid 2>/dev/null
  while [ -e /proc/$pid/exe ]; do sleep 0.01; done
  rm $2.pid
fi
[ $1 = stop ] && exit 0
E2E_APP=1 setsid %[2]s & echo $! >$2.pid
`

// login has a workflow log in to the server as the documents have it.
func (w *workflow) login(s *server) {
	w.more = append(w.more, "--secret", "SSH_PRIVATE_KEY", "--var", "SSH_KNOWN_HOSTS")
	w.env = append(w.env, "SSH_PRIVATE_KEY="+s.sshd.Key, "SSH_KNOWN_HOSTS="+s.sshd.KnownHosts)
}

// spec is the part of a spec that names the server.
func (s *server) spec() string {
	return fmt.Sprintf(`
ssh {
  user = %q
  port = %d
}

server "web01" {
  host    = %q
  address = "127.0.0.1"
}
`, s.sshd.User, s.sshd.Port, s.sshd.Host)
}

// answer is what nginx says for a host name.
func (s *server) answer(t *testing.T, host string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+string(s.Site.Listen.Local())+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
