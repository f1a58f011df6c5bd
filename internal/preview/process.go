package preview

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/health"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/preview/register"
	"github.com/org/deploy-action/internal/release"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// preview is a record and what the spec makes of it.
type preview struct {
	Record
	instance spec.Instance
}

// current is the link in a preview's root to the release it shows.
const current = "current"

const (
	startGrace = 5 * time.Second  // between SIGTERM and SIGKILL of a start command
	quietTime  = 10 * time.Second // for the application to let go of its port
	lastLines  = 10               // of the log that an error shows
)

// at is the preview of a record.
func (w *work) at(r Record) (*preview, error) {
	instance, err := w.Preview.Of(r.Number, r.Port)
	return &preview{Record: r, instance: instance}, err
}

// start replaces what a preview runs by a release, and waits until it is healthy.
// The port is the same, so the one before is stopped first.
func (w *work) start(ctx context.Context, p *preview, id string) error {
	if err := w.stop(ctx, p); err != nil {
		return err
	}
	if _, err := perform(ctx, w, w.app, release.Point, release.Pointing{Root: string(p.Root), Slot: current, ID: id}); err != nil {
		return err
	}
	exit, err := perform(ctx, w, w.app, machine.Run, w.command(p, p.instance.Start, p.dir()))
	if err == nil {
		err = w.app.named(exit.Err())
	}
	if err != nil {
		return w.withLog(ctx, p, fmt.Errorf("start %s: %w", id, err))
	}
	verdict, err := health.Await.On(ctx, w.app.machine, w.check(p))
	if err != nil {
		return w.app.named(err)
	}
	if !verdict.Healthy {
		return w.withLog(ctx, p, fmt.Errorf("%s: release %s is not healthy: %s", w.app.server.Name, id, verdict.Reason))
	}
	w.tell(p.Record, "release %s is healthy", id)
	return nil
}

// errTaken is a leased port on which somebody else listens.
var errTaken = errors.New("somebody else listens")

// stop ends what a preview runs. Whether it did is seen by the port: a stop
// command may well fail where nothing runs.
func (w *work) stop(ctx context.Context, p *preview) error {
	free, err := register.Quiet.On(ctx, w.app.machine, register.Silence{Port: p.Port})
	if err != nil || free {
		return w.app.named(err)
	}
	held, err := release.Slots.On(ctx, w.app.machine, string(p.Root))
	if err != nil {
		return w.app.named(err)
	}
	command, limit := w.command(p, p.instance.Stop, p.dir()), quietTime
	command.LogFile = ""
	started := held[current] != ""
	if !started { // a run was killed before its start or after its stop, or somebody removed the folder
		command.Dir, limit = "/", 0
	}
	exit, err := perform(ctx, w, w.app, machine.Run, command)
	if err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	free, err = register.Quiet.On(ctx, w.app.machine, register.Silence{Port: p.Port, Limit: limit})
	who := fmt.Sprintf("(\"ss -ltnp sport = :%d\" says who)", p.Port)
	switch {
	case err == nil && !free && started:
		err = errors.Join(fmt.Errorf("stop %s: somebody still listens on port %d, %s after the stop command %s", p.Name, p.Port, quietTime, who), exit.Err())
	case err == nil && !free:
		err = fmt.Errorf("%w on port %d, which was free when it was leased %s: the next run leases another", errTaken, p.Port, who)
	}
	return w.app.named(err)
}

// command is a shell command of the spec. Its output goes to a file that a daemon
// may keep open.
func (w *work) command(p *preview, shell, dir string) machine.Command {
	return machine.Command{
		Shell: shell, Dir: dir, Timeout: w.Preview.StartTimeout, Grace: startGrace, LogFile: p.log(), Leave: true,
		Env: map[string]string{
			"TURNOUT_PREVIEW": string(p.Name), "TURNOUT_PORT": strconv.Itoa(int(p.Port)),
			"TURNOUT_PATH": p.dir(), "TURNOUT_HOSTNAME": string(p.instance.Hostname),
		},
	}
}

func (p *preview) log() string { return filepath.Join(string(p.Root), "start.log") }

// withLog adds to an error what the application said last.
func (w *work) withLog(ctx context.Context, p *preview, err error) error {
	lines, unread := machine.Tail.On(ctx, w.app.machine, machine.TailOf{Path: p.log(), Lines: lastLines})
	if unread != nil || len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w\n    %s", err, strings.Join(lines, "\n    "))
}

// fit is nil while a preview passes its checks, once.
func (w *work) fit(ctx context.Context, p *preview) error {
	verdict, err := health.Once.On(ctx, w.app.machine, w.check(p))
	if err == nil && !verdict.Healthy {
		err = errors.New(verdict.Reason)
	}
	return err
}

// check is what a preview must pass.
func (w *work) check(p *preview) health.Check {
	h := w.Preview.Health
	address, err := value.TCP("127.0.0.1", p.Port)
	if err != nil {
		panic("preview: loopback is an address: " + err.Error())
	}
	check := health.Check{
		Address: address, Dir: p.dir(), Files: h.Files, TCP: h.TCP,
		Interval: h.Interval, Timeout: h.Timeout, HealthyAfter: h.HealthyAfter, Deadline: h.Deadline,
	}
	if h.HTTP != nil {
		host := h.HTTP.Host
		if host == "" {
			host = string(p.instance.Hostname)
		}
		check.HTTP = &health.HTTP{Path: string(h.HTTP.Path), Host: host, Status: h.HTTP.Status, Body: h.HTTP.Body, MaxLatency: h.HTTP.MaxLatency}
	}
	return check
}
