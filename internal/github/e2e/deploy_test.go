package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/proxy/proxytest"
)

const deploySpec = `
variable "release" {
  type = string
}

environment "shop" {
  root      = "%[1]s/root"
  state_dir = "%[1]s/state"
  servers   = server.web01

  slot "blue" {
    port = %[2]d
  }

  slot "green" {
    port = %[3]d
  }

  start = "sh %[1]s/app start ${slot.name}"
  stop  = "sh %[1]s/app stop ${slot.name}"

  health {
    interval = "50ms"

    http {
      path = "/"
    }
  }

  proxy "nginx" {
    servers   = server.web01
    listen    = %[4]q
    config    = %[5]q
    main      = %[6]q
    error_log = %[7]q
  }

  watch = "WATCH"
  drain = "100ms"
}

pipeline "release" {
  stage "build" {
    run = "mkdir -p dist && cp text dist/"
  }

  stage "deploy" {
    needs = [stage.build]

    deploy {
      environment = environment.shop
      release     = var.release
    }
  }
}
`

// shop is a checkout whose pipeline deploys to a server.
type shop struct {
	*testing.T
	*server
	dir, spec string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	need(t, "act", "docker", "git", "go")
	s := &shop{T: t, dir: checkout(t), server: newServer(t)}
	s.spec = s.server.spec() + fmt.Sprintf(deploySpec, s.Dir, proxytest.FreePort(t), proxytest.FreePort(t),
		s.Site.Listen, s.Site.Config, s.Site.Main, s.Site.ErrorLog)
	return s
}

// next makes the release that the next job deploys, and watches for so long.
func (s *shop) next(text, watch string) {
	write(s.T, s.dir+"/text", text)
	write(s.T, s.dir+"/deploy.hcl", strings.Replace(s.spec, "WATCH", watch, 1))
}

func (s *shop) serves(text string) bool {
	status, body, err := s.Get("/")
	return err == nil && status == 200 && body == text
}

// history are the outcomes of what the server remembers, oldest first.
func (s *shop) history() string {
	s.Helper()
	var all []string
	for _, found := range regexp.MustCompile(`\\?"outcome\\?":\\?"(\w+)`).FindAllStringSubmatch(read(s.T, s.Dir+"/state/history.jsonl"), -1) {
		all = append(all, found[1])
	}
	return strings.Join(all, " ")
}

// settled fails unless nobody holds the lock and no switch is in flight.
func (s *shop) settled() {
	s.Helper()
	if _, err := os.Stat(s.Dir + "/state/journal.jsonl"); !os.IsNotExist(err) {
		s.Errorf("the journal is still there: %v", err)
	}
	lock, err := os.Open(s.Dir + "/state/lock")
	if err == nil {
		defer lock.Close()
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		s.Errorf("the lock: %v", err)
	}
}

// TestPush deploys a push by the documented workflow; the container of the next
// one is killed in its watch, as GitHub does to a job that does not end.
func TestPush(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	w := newWorkflow(t, s.dir, documented(t, "action.md", "# The GitHub action"))
	w.login(s.server)
	s.next("one", "200ms")
	log := w.mustAct("push", plainEvent, "## ✅ Pipeline release succeeded", "::set-output:: outcome=succeeded", "::set-output:: environment=shop",
		"::set-output:: rolled_back=false", "::set-output:: changed=true", "| blue serves 2", "Success - Post ./", "flowchart LR")
	if strings.Contains(log, "PRIVATE KEY") {
		t.Error("the log has the key")
	}
	if all := w.hub.Deployments("shop"); len(all) != 1 || all[0].State() != "success" || !s.serves("one") {
		t.Errorf("deployments %+v; one serves: %v", all, s.serves("one"))
	}

	s.next("two", "2m")
	over, end := context.WithCancel(t.Context())
	killed := make(chan string, 1)
	go func() { killed <- w.kill(over, s) }()
	log, err := w.act("push", plainEvent)
	end()
	about := <-killed
	if about == "" || err == nil {
		t.Fatalf("act: %v; killed: %q\n%s", err, about, log)
	}
	has(t, log, "Failure - Main ./")
	has(t, w.post(about), "traffic is back on blue (the agent on web01 did so when the run was gone)")
	if got := s.history(); !s.serves("one") || got != "succeeded interrupted" {
		t.Errorf("one serves: %v; history: %s", s.serves("one"), got)
	}
	s.settled()
}

// kill ends the container of the action without a word as soon as the second
// release serves, and returns its environment and what it has left for the post
// step; "" when it never came to that.
func (w *workflow) kill(ctx context.Context, s *shop) string {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !s.serves("two") {
		select {
		case <-ctx.Done():
			return ""
		case <-tick.C:
		}
	}
	const script = `id=$(docker ps --quiet --filter ancestor=$0 --filter name=act-$1) && docker exec $id sh -c '
cat /proc/1/environ
sed -n "/^unsettled<</{n;s/^/STATE_unsettled=/p}" $GITHUB_STATE
' && docker kill --signal KILL $id >/dev/null`
	about, err := exec.CommandContext(ctx, "sh", "-c", script, tag, w.name).Output()
	if err != nil {
		return ""
	}
	return string(about)
}

// post runs the post step of a job whose container was killed. act runs one too,
// but does not tell container actions what they have saved as state, as the runner
// does by STATE_<name> (act 0.2.89, runPostStep: only for Node), so that it finds
// nothing to do.
func (w *workflow) post(about string) string {
	w.Helper()
	args := []string{"run", "--rm", "--volume", w.dir + ":" + w.dir, "--workdir", w.dir, "--volume", w.TempDir() + ":/var/run/act/workflow"}
	for _, variable := range strings.Split(about, "\x00") {
		args = append(args, "--env", strings.TrimSuffix(variable, "\n"))
	}
	return run(w.T, w.dir, "docker", append(args, "--entrypoint", "/turnout-post", tag)...)
}

// TestForks has a fork's pull request deployed where the job has the secrets: once
// without and once with allow_forks.
func TestForks(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	w := newWorkflow(t, s.dir, forkWorkflow)
	w.login(s.server)
	s.next("eve's", "200ms")
	event := pullEvent("opened", 7, "eve/shop")
	log, err := w.act("pull_request_target", event)
	if err == nil {
		t.Errorf("the job succeeded")
	}
	has(t, log, "pull request 7 is from a fork and the event pull_request_target has this repository's secrets", "so nothing is done", "Failure - Main ./")
	if n := s.sshd.Connections(); n > 0 || len(w.hub.Bodies()) > 0 {
		t.Errorf("%d connections to the server; GitHub was told %q", n, w.hub.Bodies())
	}
	w.more = append(w.more, "--var", "ALLOW_FORKS=true")
	w.mustAct("pull_request_target", event, "::set-output:: outcome=succeeded")
	if !s.serves("eve's") {
		t.Error("what was allowed does not serve")
	}
}

const forkWorkflow = `
on: pull_request_target
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./
        with:
          key: ${{ secrets.SSH_PRIVATE_KEY }}
          known_hosts: ${{ vars.SSH_KNOWN_HOSTS }}
          vars: release=dist
          allow_forks: ${{ vars.ALLOW_FORKS || 'false' }}
`
