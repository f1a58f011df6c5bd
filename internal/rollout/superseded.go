package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/org/deploy-action/internal/event"
)

// errSuperseded ends a deploy that came too late: nothing was done, and nothing
// has failed.
var errSuperseded = errors.New("superseded")

// supersededBy names the run that began after this one and has deployed while
// this one waited for the lock; empty where there is none. Going on would put an
// older release in the place of a newer one. A rollback is asked for and never
// too late.
func (r *rollout) supersededBy(ctx context.Context) (string, error) {
	if !r.waited || r.Rollback {
		return "", nil
	}
	past, err := r.past(ctx)
	if err != nil {
		return "", err
	}
	for _, d := range past.Deploys {
		if d.Outcome == string(event.Succeeded) && d.Command != "rollback" && d.Began.After(r.Run.Began) {
			text := "run " + d.Run
			if d.Commit != "" {
				text += fmt.Sprintf(" (commit %s)", d.Commit)
			}
			return text, nil
		}
	}
	return "", nil
}
