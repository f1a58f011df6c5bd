package rollout

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// config is the file that we own; tests write to it as an administrator would.
func (w *world) config() string { return string(w.env.Proxies[0].Config) }

func (w *world) read() string {
	w.t.Helper()
	data, err := os.ReadFile(w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

func (w *world) write(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.config(), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// refused deploys and wants a failure that says so, with nothing moved.
func (w *world) refused(says string) {
	w.t.Helper()
	result := Run(context.Background(), w.request(writeRelease(w.t, testRelease{Version: "new"})))
	if result.Outcome != event.Failed || !strings.Contains(result.Reason, says) {
		w.t.Errorf("%s: %s; want a failure that says %q", result.Outcome, result.Reason, says)
	}
}

func (w *world) told(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Note != nil && strings.Contains(e.Note.Text, text) {
			return true
		}
	}
	return false
}

func TestForeignFileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	const theirs = "# another team's site\n"
	w.write(theirs)
	w.refused("was not written by turnout")
	if w.read() != theirs {
		t.Errorf("their file is now:\n%s", w.read())
	}
}

func TestHandEditIsKeptAndTold(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.deploy(testRelease{Version: "v1"})
		edited := w.read() + "# edited at 3 a.m.\n"
		w.write(edited)
		if status := w.status(); len(status.Drift) == 0 || !strings.Contains(status.Drift[0], "edited by hand") {
			t.Errorf("drift: %q", status.Drift)
		}
		view, err := Preview(context.Background(), w.request(writeRelease(t, testRelease{Version: "v2"})))
		if err != nil || !strings.Contains(view.Diff, "-# edited at 3 a.m.") {
			t.Errorf("preview: %v, diff:\n%s", err, view.Diff)
		}
		w.deploy(testRelease{Version: "v2"})
		w.serves("v2")
		if !w.told("the edited file is kept as ") {
			t.Error("nobody was told where the edited file is")
		}
	})
}

// TestDeletedFileUnderAServingProxy has the proxy serve from memory what is no
// longer on disk. The slot that serves must not be taken for an idle one, and
// putting a failed deploy back must not take the site away.
func TestDeletedFileUnderAServingProxy(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.deploy(testRelease{Version: "v1"})
		remove := func() {
			if err := os.Remove(w.config()); err != nil {
				t.Fatal(err)
			}
		}
		remove()
		if status := w.status(); status.Serving != "blue" || len(status.Drift) != 1 || !strings.Contains(status.Drift[0], "is gone") {
			t.Errorf("status: %+v", status)
		}
		w.refusedAfter(testRelease{Version: "bad", Moody: true})
		w.serves("v1")

		remove()
		clients := w.startClients()
		clients.begin()
		w.deploy(testRelease{Version: "v2"})
		w.serves("v2")
		clients.end()
	})
}

// refusedAfter deploys a release that must fail once traffic has moved.
func (w *world) refusedAfter(r testRelease) {
	w.t.Helper()
	if result := Run(context.Background(), w.request(writeRelease(w.t, r))); result.Outcome != event.Failed || !result.PutBack {
		w.t.Errorf("%s, put back %v: %s", result.Outcome, result.PutBack, result.Reason)
	}
}

func TestRenamedSlotsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	w.deploy(testRelease{Version: "v1"})
	w.env.Slots[0].Name, w.env.Slots[1].Name = "left", "right"
	w.refused(`serves slot "blue", which environment "shop" no longer has`)
	w.serves("v1")
}

func TestProxyThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	w.proxy.Kill()
	w.refused("survey: local: nginx does not run: ")
	if _, err := os.Stat(w.config()); !os.IsNotExist(err) {
		t.Errorf("the configuration was left: %v", err)
	}
	w.proxy.Start()
	w.deploy(testRelease{Version: "v1"})
	w.serves("v1")
}

func TestChangedAddressesReloadOnce(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.deploy(testRelease{Version: "v1"})
		w.env.Slots[1].Port = proxytest.FreePort(t) // of the idle slot
		view, err := Preview(context.Background(), w.request(writeRelease(t, testRelease{Version: "v2"})))
		if err != nil || !view.Reload || view.Diff == "" || view.To != "green" {
			t.Errorf("preview: %+v, %v", view, err)
		}
		result := w.deploy(testRelease{Version: "v2"})
		w.serves("v2")
		if result.Reloads != 1 || result.Diff == "" {
			t.Errorf("%d reloads, diff %q", result.Reloads, result.Diff)
		}
	})
}

func TestRestartOfTheProxyKeepsTheSlot(t *testing.T) {
	eachProxy(t, func(t *testing.T, w *world) {
		w.deploy(testRelease{Version: "v1"})
		w.deploy(testRelease{Version: "v2"})
		w.proxy.Kill()
		w.proxy.Start()
		w.serves("v2")
		w.proxy.Reload()
		w.serves("v2")
		w.deploy(testRelease{Version: "v3"})
		w.serves("v3")
	})
}
