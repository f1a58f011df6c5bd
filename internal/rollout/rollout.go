// Package rollout moves one environment from the slot that serves to the other:
// it ships a release to the idle slot, starts it, waits until it is healthy, has
// every proxy send traffic to it, watches, and puts everything back when
// anything fails on the way.
//
// At every instant one of the two slots serves, and the proxies themselves say
// which: a run that dies anywhere is settled by the next one (see settle.go).
package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

// undoTime bounds putting things back, so that a cancelled run ends within the
// 7.5 s that GitHub leaves between SIGINT and SIGTERM; the way back of a hurried
// switch begins when most of that has passed.
const (
	undoTime    = 5 * time.Second
	hurriedUndo = 1500 * time.Millisecond
)

// Request is what Run needs to know.
type Request struct {
	Environment *spec.Environment
	Release     string       // directory or archive to ship; unused in a rollback
	Rollback    bool         // go back to an earlier release
	To          string       // that a rollback goes to; empty: the newest good one
	Canary      *spec.Canary // nil: all traffic moves in one step
	// Hurried leaves out the watch and the drain: the run was cancelled and has
	// seconds left to put traffic back to a slot that served a moment ago.
	Hurried bool
	Planned []plan.Fact // what must be live for the switch to start; nil: anything
	Pos     spec.Pos

	Run      Identity
	Machines func(context.Context, *spec.Server) (machine.Machine, error)
	// Templates are the texts of the users' own templates, by path.
	Templates map[string]string
	Workspace string // where commands on this machine run
	Emit      event.Sink
	// Mask takes secrets out of the reasons that stay on servers, where others read
	// them; nil: there are none.
	Mask func(string) string
}

// Identity says who deploys, for the lock, the journal and the history.
type Identity struct {
	ID, Command, Commit, Actor, URL string

	Began time.Time // of the whole run
}

// rollout is a switch under way.
type rollout struct {
	Request
	fleet   *fleet
	account *account
	epoch   protocol.Epoch // of this run, once it has the lock

	first      bool       // nothing serves yet
	from, to   *spec.Slot // from is nil at the first deploy
	fromID     string     // release in from
	toID       string     // release in to, once shipped
	formerID   string     // release in to before this run; "" for none
	warm       bool       // a rollback found its target running and healthy
	repoint    bool       // a rollback goes to a release that the idle slot does not hold everywhere
	started    bool       // the idle slot's start command was run
	opened     bool       // the journal says that this switch is in flight
	cancelled  bool       // the run was; an agent that gives up says the same of its calls
	waited     bool       // for the lock
	superseded error      // why there is nothing to do any more
	recovering bool       // nothing is deployed after settling
	decided    bool       // past the commit point: forward only
	committed  time.Time  // when traffic was ordered to move
}

// Run deploys or rolls back, and returns the account of it. Steps are emitted
// as they happen; the account itself is emitted last.
func Run(ctx context.Context, request Request) event.Switch {
	r := &rollout{Request: request, account: newAccount(request)}
	err := r.run(ctx)
	r.cancelled = ctx.Err() != nil
	result := r.account.close(r, err)
	r.Emit(event.Event{Kind: event.SwitchDone, Switch: &result})
	return result
}

func (r *rollout) run(ctx context.Context) (err error) {
	r.fleet, err = open(ctx, r.Request)
	if err != nil {
		return err
	}
	if err := r.step(ctx, "lock", r.lock); err != nil {
		return err
	}
	defer r.unlockAll(ctx)
	defer func() { err = r.putBack(ctx, err) }()
	return r.climb(ctx)
}

// unlockAll ends the lock. Where that fails, the end of the session does it.
func (r *rollout) unlockAll(ctx context.Context) {
	if err := r.unlock(ctx); err != nil {
		r.notice(event.Warning, "the lock could not be given back: "+err.Error(), "it is free once this run has ended")
	}
}

// climb is the switch from the first look to the last broom.
func (r *rollout) climb(ctx context.Context) error {
	steps := []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"settle", r.settle},
		{"survey", r.survey},
		{"ship", r.ship},
		{"start", r.start},
		{"health", r.awaitHealth},
		{"prepare", r.prepare},
		{"canary", r.canary},
		{"commit", r.commit},
		{"watch", r.watch},
		{"record", r.record},
		{"drain", r.drain},
		{"clean up", r.cleanUp},
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil && !r.decided {
			return context.Cause(ctx)
		}
		if err := r.step(ctx, step.name, step.do); err != nil {
			return err
		}
		if r.superseded != nil {
			return r.superseded
		}
	}
	return nil
}

// step does one step, tells listeners, and notes it in the timeline. A step
// with nothing to say had nothing to do and is not told.
func (r *rollout) step(ctx context.Context, name string, do func(context.Context) (string, error)) error {
	began := time.Now()
	at := event.Step{Environment: string(r.Environment.Name), Name: name}
	r.Emit(event.Event{Kind: event.StepStarted, Step: &at})
	text, err := do(ctx)
	done := at
	done.Text, done.Took = text, time.Since(began)
	if err != nil {
		done.Error = err.Error()
		err = fmt.Errorf("%s: %w", name, err)
	}
	if text != "" || err != nil {
		r.account.note(name, began, text)
	}
	r.Emit(event.Event{Kind: event.StepFinished, Step: &done})
	return err
}

// notice tells the reader something that is no step.
func (r *rollout) notice(level event.Level, text, hint string) {
	r.Emit(event.Event{Kind: event.Notice, Note: &event.Note{Level: level, Text: text, Hint: hint, Pos: r.Pos}})
}

// site returns what the proxy on one host renders from.
func site(env *spec.Environment, p *spec.Proxy, pools []proxy.Pool, template string) proxy.Site {
	return proxy.Site{
		Env: env.Name, Kind: proxy.Kind(p.Kind), Listen: p.Listen, TLS: (*proxy.TLS)(p.TLS), Hostname: p.Hostname, Pools: pools,
		Config: p.Config, Main: p.Main, Socket: p.Socket, ErrorLog: p.ErrorLog, StateDir: env.StateDir,
		Container: p.Container, Check: p.Check, Reload: p.Reload, Template: template, TemplateName: p.Template,
		Balancer: balancer(p),
		Canary:   splitter(env.Split), AccessLog: p.Access,
	}
}

// splitter is how a proxy is to split traffic; nil: not at all.
func splitter(s *spec.Split) *proxy.Canary {
	if s == nil {
		return nil
	}
	return &proxy.Canary{Sticky: proxy.Sticky(s.Sticky), Preview: s.Preview}
}

// slotNamed is the slot of env with that name, nil when there is none.
func slotNamed(env *spec.Environment, name value.Name) *spec.Slot {
	for _, slot := range env.Slots {
		if slot.Name == name {
			return slot
		}
	}
	return nil
}
