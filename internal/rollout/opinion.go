package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/org/deploy-action/internal/canary"
	"github.com/org/deploy-action/internal/machine"
)

// unsure is the exit status of a command that can't tell yet: EX_TEMPFAIL of
// sysexits.h.
const unsure = 75

// opinion is what somebody else thinks of the new release, asked from the machine
// that runs turnout; nil where the proxies' counts are judged.
func (a *ascent) opinion(ctx context.Context) (*canary.Opinion, error) {
	switch of := a.Canary.Analysis; {
	case of.Run != "":
		return a.told(ctx)
	case of.Prometheus != nil:
		return a.measured(ctx)
	}
	return nil, nil
}

// told is what the spec's command says.
func (a *ascent) told(ctx context.Context) (*canary.Opinion, error) {
	of := a.Canary.Analysis
	here := machine.NewLocal("here")
	defer here.Close()
	exit, err := machine.Run.On(ctx, here, machine.Command{
		Shell: of.Run, Dir: a.Workspace, Timeout: of.Interval, Grace: startGrace, Env: map[string]string{
			"TURNOUT_ENVIRONMENT": string(a.Environment.Name), "TURNOUT_SLOT": string(a.to.Name), "TURNOUT_OLD_SLOT": string(a.from.Name),
			"TURNOUT_RELEASE": a.toID, "TURNOUT_PERCENT": fmt.Sprint(a.percent), "TURNOUT_INTERVAL": fmt.Sprint(of.Interval.Seconds()),
		},
	})
	if err != nil {
		return nil, err
	}
	if exit.TimedOut {
		return nil, fmt.Errorf("%q took more than the interval of %s", of.Run, of.Interval)
	}
	said := ""
	if n := len(exit.Tail); n > 0 {
		said = strings.TrimSpace(exit.Tail[n-1])
	}
	switch exit.Code {
	case 0:
		return &canary.Opinion{Verdict: canary.Pass}, nil
	case unsure:
		return &canary.Opinion{Verdict: canary.Insufficient, Why: or(said, "the command can't tell yet")}, nil
	}
	return &canary.Opinion{Verdict: canary.Fail, Why: or(said, fmt.Sprintf("%q ended with exit status %d", of.Run, exit.Code))}, nil
}
