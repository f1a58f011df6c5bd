package rollout

import (
	"context"
	"fmt"
	"strings"
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
// rollback finds its release in the slot.
func (r *rollout) ship(ctx context.Context) (string, error) {
	if err := r.journal(ctx, "ship", state.Begin); err != nil || r.Rollback {
		return "", err
	}
	r.undo.pushLeisure("", r.restartFormer)
	layout := release.Layout{Root: string(r.Environment.Root), Shared: r.Environment.Shared}
	shipped, err := release.Ship(ctx, r.fleet.apps, layout, r.Release, r.shipProgress())
	if err != nil {
		return "", err
	}
	r.toID = shipped.ID
	linked := 0
	for i, arrival := range shipped.Arrivals {
		linked += arrival.Linked
		if len(arrival.Awaited) > 0 {
			r.notice(event.Warning, fmt.Sprintf("%s: shared files that are not there yet: %s", arrival.Server, strings.Join(arrival.Awaited, ", ")),
				fmt.Sprintf("put them into %s/shared", r.Environment.Root))
		}
		if err := r.point(ctx, r.fleet.apps[i]); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s to %s: %s, %s, %d linked", shipped.ID, r.to.Name, plural(shipped.Files, "file", "files"), size(shipped.Bytes), linked), nil
}

// point makes the idle slot the new release's, and arms its way back.
func (r *rollout) point(ctx context.Context, app machine.Machine) error {
	at := release.Pointing{Root: string(r.Environment.Root), Slot: string(r.to.Name), ID: r.toID}
	if _, err := release.Point.On(ctx, app, at); err != nil {
		return fmt.Errorf("%s: %w", app.Name(), err)
	}
	if r.formerID == "" {
		return nil
	}
	r.undo.push(fmt.Sprintf("%s holds %s again", r.to.Name, r.formerID), func(ctx context.Context) error {
		at.ID = r.formerID
		_, err := release.Point.On(ctx, app, at)
		return err
	})
	return nil
}

// start runs the slot's start command on every server.
func (r *rollout) start(ctx context.Context) (string, error) {
	if r.warm || r.to.Start == "" {
		return "", nil
	}
	r.started = true
	for _, app := range r.fleet.apps {
		if r.to.Stop != "" {
			r.undo.push(string(r.to.Name)+" stopped", func(ctx context.Context) error { return r.abandon(ctx, app) })
		}
		if err := r.command(ctx, app, r.to, "start", r.to.Start); err != nil {
			r.keepLogs(app)
			return "", err
		}
	}
	return string(r.to.Name) + " started", nil
}

// abandon stops the new slot. One that crashed by itself often has nothing to
// stop: that is told, and no reason to call for a hand.
func (r *rollout) abandon(ctx context.Context, app machine.Machine) error {
	if err := r.command(ctx, app, r.to, "stop", r.to.Stop); err != nil {
		r.notice(event.Warning, err.Error(), fmt.Sprintf("%s receives no traffic; see that nothing of it is left running", r.to.Name))
	}
	return nil
}

// restartFormer starts the release that the idle slot held before, and holds
// again by now, so that a failed deploy leaves a rollback as quick as it found it.
func (r *rollout) restartFormer(ctx context.Context) error {
	if !r.started || r.formerID == "" || r.Environment.KeepPrevious != spec.Warm {
		return nil
	}
	for _, app := range r.fleet.apps {
		if err := r.command(ctx, app, r.to, "start", r.to.Start); err != nil {
			r.notice(event.Warning, fmt.Sprintf("%s could not be started again with %s: %v", r.to.Name, r.formerID, err),
				"a rollback would start it again; traffic is not affected")
		}
	}
	return nil
}

// command runs a slot's start or stop command on a machine. Its output goes to a
// file that a daemon may keep open.
func (r *rollout) command(ctx context.Context, m machine.Machine, slot *spec.Slot, what, shell string) error {
	exit, err := machine.Run.On(ctx, m, machine.Command{
		Shell: shell, Dir: string(r.Environment.Root), Env: slotEnv(r.Environment, slot),
		Timeout: r.Environment.StartTimeout, Grace: startGrace, LogFile: r.logFile(slot), Leave: true,
	})
	if err == nil {
		err = exit.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %s %s: %w", m.Name(), what, slot.Name, err)
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

func (r *rollout) logFile(slot *spec.Slot) string {
	return string(r.Environment.StateDir) + "/" + string(slot.Name) + ".log"
}

// awaitHealth waits until the slot is healthy on every server.
func (r *rollout) awaitHealth(ctx context.Context) (string, error) {
	if r.warm {
		return "", nil
	}
	var verdict health.Verdict
	for _, app := range r.fleet.apps {
		var err error
		verdict, err = health.Await.On(ctx, app, healthCheck(r.Environment, r.to, slotAddress(r.to)))
		if err != nil {
			return "", fmt.Errorf("%s: %w", app.Name(), err)
		}
		if !verdict.Healthy {
			r.keepLogs(app)
			return "", &unhealthyError{server: app.Name(), slot: r.to.Name, verdict: verdict}
		}
	}
	return fmt.Sprintf("%s: %s in a row after %s", r.to.Name, plural(verdict.Passes, "pass", "passes"), round(verdict.Took)), nil
}

// keepLogs puts the last lines of the slot's own output into the account. That
// there are none to read is no failure of the switch.
func (r *rollout) keepLogs(app machine.Machine) {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	lines, err := machine.Tail.On(ctx, app, machine.TailOf{Path: r.logFile(r.to), Lines: 50})
	if err == nil {
		r.account.result.Logs = lines
	}
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
	server  string
	slot    value.Name
	verdict health.Verdict
}

func (e *unhealthyError) Error() string {
	return fmt.Sprintf("%s: %s is not healthy after %s: %s", e.server, e.slot, round(e.verdict.Took), e.verdict.Reason)
}
