package rollout

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/state"
	"github.com/org/deploy-action/internal/value"
)

// The steps that bring the idle slot up. Traffic is not touched by any of them.

// startGrace is how long a start or stop command has after SIGTERM. With
// undoTime it has to fit into the 7 s in which a cancelled run ends.
const startGrace = time.Second

// ship copies the release to every server and points the idle slot to it. A
// rollback finds its release on the servers, and mostly in the slot.
func (r *rollout) ship(ctx context.Context) (string, error) {
	if err := r.openJournal(ctx); err != nil {
		return "", err
	}
	switch {
	case r.warm:
		return "", nil
	case r.Rollback && !r.repoint:
		return "", r.vacateAll(ctx)
	}
	for _, a := range r.fleet.apps {
		a.undo.pushLeisure("", func(ctx context.Context) error { return r.restartFormer(ctx, a) })
	}
	if r.Rollback {
		return fmt.Sprintf("%s to %s: every server has it", r.toID, r.to.Name), r.point(ctx)
	}
	layout := release.Layout{Root: string(r.Environment.Root), Shared: r.Environment.Shared}
	shipped, err := release.ShipBy(ctx, r.receive, r.fleet.machines(), layout, r.Release, r.shipProgress())
	if err != nil {
		return "", err
	}
	r.toID = shipped.ID
	linked := 0
	for i, arrival := range shipped.Arrivals {
		linked += arrival.Linked
		if len(arrival.Awaited) > 0 {
			r.notice(event.Warning, fmt.Sprintf("%s: shared files that are not there yet: %s", r.fleet.apps[i].Name(), strings.Join(arrival.Awaited, ", ")),
				fmt.Sprintf("put them into %s/shared", r.Environment.Root))
		}
	}
	text := fmt.Sprintf("%s to %s: %s, %s, %d linked", shipped.ID, r.to.Name, plural(shipped.Files, "file", "files"), size(shipped.Bytes), linked)
	if n := len(r.fleet.apps); n > 1 {
		text += fmt.Sprintf(", on %d servers", n)
	}
	return text, r.point(ctx)
}

// receive has a server receive a release, in this run's epoch.
func (r *rollout) receive(ctx context.Context, m machine.Machine, d release.Delivery, in io.Reader, out io.Writer) (release.Received, error) {
	i := slices.IndexFunc(r.fleet.apps, func(a *app) bool { return a.machine == m })
	return state.Guarded(release.Receive).Exchange(ctx, m, order(r, r.fleet.apps[i].host, d), in, out)
}

// point makes the idle slot the new release's on every server, once nothing runs
// there any more.
func (r *rollout) point(ctx context.Context) error {
	if err := r.vacateAll(ctx); err != nil {
		return err
	}
	return together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		if former := a.held[string(r.to.Name)]; former != "" {
			a.undo.push(fmt.Sprintf("%s holds %s again", r.to.Name, former), func(ctx context.Context) error { return r.pointOn(ctx, a, former) })
		}
		return r.pointOn(ctx, a, r.toID)
	})
}

// pointOn points the idle slot of one server to a release.
func (r *rollout) pointOn(ctx context.Context, a *app, id string) error {
	_, err := perform(ctx, r, a.host, release.Point, release.Pointing{Root: string(r.Environment.Root), Slot: string(r.to.Name), ID: id})
	return err
}

// start runs the slot's start command on every server.
func (r *rollout) start(ctx context.Context) (string, error) {
	if r.warm || r.to.Start == "" {
		return "", nil
	}
	r.started = true
	err := together(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		if r.to.Stop != "" {
			a.undo.push(string(r.to.Name)+" stopped", func(ctx context.Context) error { return r.abandon(ctx, a) })
		}
		err := r.command(ctx, a, r.to, "start", r.to.Start)
		if err != nil {
			r.keepLogs(ctx, a)
		}
		return err
	})
	return string(r.to.Name) + " started", err
}

// abandon stops the new slot. One that crashed by itself often has nothing to
// stop: that is told, and no reason to call for a hand.
func (r *rollout) abandon(ctx context.Context, a *app) error {
	if err := r.command(ctx, a, r.to, "stop", r.to.Stop); err != nil {
		r.notice(event.Warning, on(a, err).Error(), fmt.Sprintf("%s receives no traffic; see that nothing of it is left running", r.to.Name))
	}
	return nil
}

// command runs a slot's start or stop command on a machine. Its output goes to a
// file that a daemon may keep open.
func (r *rollout) command(ctx context.Context, a *app, slot *spec.Slot, what, shell string) error {
	exit, err := perform(ctx, r, a.host, machine.Run, machine.Command{
		Shell: shell, Dir: string(r.Environment.Root), Env: slotEnv(r.Environment, slot),
		Timeout: r.Environment.StartTimeout, Grace: startGrace, LogFile: r.logFile(slot), Leave: true,
	})
	if err == nil {
		err = exit.Err()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, slot.Name, err)
	}
	return nil
}

// slotEnv is what start, stop and health commands find in their environment.
func slotEnv(env *spec.Environment, slot *spec.Slot) map[string]string {
	vars := map[string]string{
		"TURNOUT_ENVIRONMENT": string(env.Name),
		"TURNOUT_SLOT":        string(slot.Name),
		"TURNOUT_PATH":        slotPath(env, slot),
	}
	if slot.Socket != "" {
		vars["TURNOUT_SOCKET"] = string(slot.Socket)
	} else {
		vars["TURNOUT_PORT"] = fmt.Sprint(int(slot.Port))
	}
	return vars
}

func slotPath(env *spec.Environment, slot *spec.Slot) string {
	return string(env.Root) + "/" + string(slot.Name)
}

// logFile lies beside the slot: not every server with slots has a state
// directory.
func (r *rollout) logFile(slot *spec.Slot) string { return slotPath(r.Environment, slot) + ".log" }

// awaitHealth waits until the slot is healthy on every server. The first one that
// is not ends it.
func (r *rollout) awaitHealth(ctx context.Context) (string, error) {
	if r.warm {
		return "", nil
	}
	var mu sync.Mutex
	var slowest health.Verdict
	err := allOrNone(ctx, r.fleet.apps, func(ctx context.Context, a *app) error {
		verdict, err := health.Await.On(ctx, a.machine, healthCheck(r.Environment, r.to, slotAddress(r.to)))
		if err != nil {
			return err
		}
		if !verdict.Healthy {
			r.keepLogs(ctx, a)
			return &unhealthyError{where: a.Name(), slot: r.to.Name, verdict: verdict}
		}
		mu.Lock()
		defer mu.Unlock()
		if verdict.Took >= slowest.Took {
			slowest = verdict
		}
		return nil
	})
	text := fmt.Sprintf("%s: %s in a row after %s", r.to.Name, plural(slowest.Passes, "pass", "passes"), round(slowest.Took))
	if n := len(r.fleet.apps); n > 1 {
		text += fmt.Sprintf(", on each of %d servers", n)
	}
	return text, err
}

// How long the last lines of a slot may take. A run that was cancelled has no time
// to lose.
const (
	logsTime        = 5 * time.Second
	logsTimeHurried = time.Second
)

// keepLogs puts the last lines of the new slot into the account, of the first
// server that failed. That there are none to read is no failure of the switch.
func (r *rollout) keepLogs(ctx context.Context, a *app) {
	limit := logsTime
	if ctx.Err() != nil {
		limit = logsTimeHurried
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer stop()
	if lines, err := r.lastLines(ctx, a); err == nil {
		r.account.keepLogs(a.Name(), lines)
	}
}

// lastLines are what the spec's logs command prints or, without one, what the
// slot's commands have put out.
func (r *rollout) lastLines(ctx context.Context, a *app) ([]string, error) {
	if r.to.Logs == "" {
		return machine.Tail.On(ctx, a.machine, machine.TailOf{Path: r.logFile(r.to), Lines: 50})
	}
	exit, err := perform(ctx, r, a.host, machine.Run, machine.Command{
		Shell: r.to.Logs, Dir: string(r.Environment.Root), Env: slotEnv(r.Environment, r.to), Grace: logsTimeHurried,
	})
	return exit.Tail, err
}

// healthCheck is the environment's check of slot, asked at address.
func healthCheck(env *spec.Environment, slot *spec.Slot, address value.Address) health.Check {
	h := env.Health
	check := health.Check{
		Address: address, Dir: slotPath(env, slot), Files: h.Files, TCP: h.TCP, Run: slot.HealthRun, Env: slotEnv(env, slot),
		Interval: h.Interval, Timeout: h.Timeout, HealthyAfter: h.HealthyAfter, Deadline: h.Deadline,
	}
	if h.HTTP != nil {
		check.HTTP = &health.HTTP{
			Path: string(h.HTTP.Path), Host: httpHost(env, h.HTTP), Status: h.HTTP.Status,
			Body: h.HTTP.Body, MaxLatency: h.HTTP.MaxLatency,
		}
	}
	return check
}

func httpHost(env *spec.Environment, check *spec.HTTPCheck) string {
	if check.Host != "" {
		return check.Host
	}
	return string(env.Proxies[0].Hostname)
}

// unhealthyError is a slot that did not become healthy in time.
type unhealthyError struct {
	where   string // server, or the way to it
	slot    value.Name
	verdict health.Verdict
}

func (e *unhealthyError) Error() string {
	return fmt.Sprintf("%s: %s is not healthy after %s: %s", e.where, e.slot, round(e.verdict.Took), e.verdict.Reason)
}
