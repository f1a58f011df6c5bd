package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/spec"
)

// doomed is a run in a process of its own that is killed at a point.
type doomed struct {
	Environment *spec.Environment
	Release     string
	Canary      *spec.Canary
	Kind        event.Kind
	Step        string
	At          point // on hosts: where, if not at a step
	Sleeps      bool  // it is stopped there, not killed

	ID    string // of the run; "doomed" without one
	Began time.Time
}

// runAndDie is the process of a doomed run.
func runAndDie() {
	var d doomed
	if err := json.Unmarshal([]byte(os.Getenv("ROLLOUT_TEST_RUN")), &d); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	m := here()
	d.run(func(context.Context, *spec.Server) (machine.Machine, error) { return m, nil })
}

// run does not return.
func (d doomed) run(machines func(context.Context, *spec.Server) (machine.Machine, error)) {
	result := Run(context.Background(), Request{
		Environment: d.Environment, Release: d.Release, Canary: d.Canary, Machines: machines,
		Run: Identity{ID: or(d.ID, "doomed"), Command: "deploy", Began: d.Began},
		Emit: func(e event.Event) {
			if e.Kind == event.StepFinished {
				fmt.Println("step", e.Step.Name, time.Now().UnixNano())
			}
			if d.Kind != "" && e.Kind == d.Kind && e.Step.Name == d.Step {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		},
	})
	fmt.Println("not killed:", result.Outcome, result.Reason)
	os.Exit(1)
}

// TestKilledAnywhere kills a run with SIGKILL after each of its steps and, in a
// soak, before each. The proxy goes on serving, recover settles what was left,
// once, and the next deploy succeeds.
func TestKilledAnywhere(t *testing.T) {
	kinds := []event.Kind{event.StepFinished}
	if soaking() {
		kinds = []event.Kind{event.StepStarted, event.StepFinished}
	}
	steps := []string{"lock", "settle", "survey", "ship", "start", "health", "prepare", "commit", "watch", "record", "drain", "clean up"}
	eachProxy(t, func(t *testing.T, w *world) {
		clients := w.startClients()
		w.deploy(testRelease{Version: "older"})
		w.deploy(testRelease{Version: "v0"})
		clients.begin()
		serving := "v0"
		for i, step := range steps {
			for j, kind := range kinds {
				version := fmt.Sprintf("v%d", 2*i+j+1)
				idle := w.idle()
				w.runDoomed(doomed{Environment: w.env, Release: writeRelease(t, testRelease{Version: version}), Kind: kind, Step: step})
				decided := step == "record" && kind == event.StepFinished || i > 9
				if decided {
					serving = version
				}
				w.recoverTo(serving)
				if now := w.idle(); !decided && idle != "" && now != idle {
					w.t.Errorf("killed at %s %s: a rollback would go to %s, which never served, and not to %s", kind, step, now, idle)
				}
			}
		}
		w.deploy(testRelease{Version: "last"})
		w.serves("last")
		clients.end()
	})
}

// idle is the release in the slot that does not serve.
func (w *world) idle() string {
	w.t.Helper()
	status := w.status()
	for slot, held := range status.Slots {
		if slot != status.Serving {
			return held
		}
	}
	return ""
}

func (w *world) runDoomed(d doomed) {
	w.t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROLLOUT_TEST_ROLE=run", "ROLLOUT_TEST_RUN="+string(text))
	mustBeKilled(w.t, cmd, d)
}

// mustBeKilled runs a doomed run to its end.
func mustBeKilled(t *testing.T, cmd *exec.Cmd, d doomed) {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	var exit *exec.ExitError
	err := cmd.Run()
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s %s %v: %v\n%s", d.Kind, d.Step, d.At, err, output.String())
	}
}

// recoverTo settles what a killed run left, twice, and checks what serves.
func (w *world) recoverTo(version string) {
	w.t.Helper()
	if _, err := Recover(context.Background(), w.request("")); err != nil {
		w.t.Fatal(err)
	}
	w.serves(version)
	if did, err := Recover(context.Background(), w.request("")); err != nil || did != "" {
		w.t.Errorf("a second recover did %q, %v", did, err)
	}
	if status := w.status(); status.Unsettled != "" || len(status.Drift) != 0 {
		w.t.Errorf("status: %+v", status)
	}
}

// clients ask the proxy all the time, each request on a connection of its own.
type clients struct {
	t    *testing.T
	w    *world
	stop context.CancelFunc
	ctx  context.Context
	wg   sync.WaitGroup
	mu   sync.Mutex
	n    int
	bad  []string
}

func (w *world) startClients() *clients {
	c := &clients{t: w.t, w: w}
	c.ctx, c.stop = context.WithCancel(context.Background())
	w.t.Cleanup(c.wait)
	return c
}

func (c *clients) begin() {
	for range 2 {
		c.wg.Go(func() {
			for c.ctx.Err() == nil {
				c.ask()
				if !soaking() {
					time.Sleep(pause())
				}
			}
		})
	}
}

func (c *clients) ask() {
	status, body, err := c.w.proxy.Get("/")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if err != nil || status != 200 {
		c.bad = append(c.bad, fmt.Sprintf("%d %q %v", status, body, err))
	}
}

func (c *clients) wait() {
	c.stop()
	c.wg.Wait()
}

// end fails the test if any request did.
func (c *clients) end() {
	c.t.Helper()
	c.wait()
	if len(c.bad) > 0 {
		c.t.Errorf("%d of %d requests failed:\n%s", len(c.bad), c.n, strings.Join(c.bad[:min(len(c.bad), 10)], "\n"))
	}
	c.t.Logf("%d requests, %d failed", c.n, len(c.bad))
}
