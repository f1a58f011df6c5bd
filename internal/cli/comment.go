package cli

import (
	"context"
	"path/filepath"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/github"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/report"
)

// comment tells the pull request what became of an environment. A run that came
// too late has nothing to say about it.
func (r *run) comment(e event.Event) {
	api := r.app.actions.API()
	if e.Kind != event.SwitchDone || e.Switch == nil || e.Switch.Outcome == event.Skipped || !api.Comments() {
		return
	}
	about := r.about
	about.Commit = r.app.actions.Context()["head_sha"] // a job for a pull request has the merge commit
	text := report.Comment(about, *e.Switch, e.Time)
	api.Comment(r.app.commentKey("environment", e.Switch.Environment, r.plan), text)
}

// commentPlan shows a plan on the pull request.
func (a *app) commentPlan(ctx context.Context, p *plan.Plan) {
	if a.actions == nil {
		return
	}
	if api := a.actions.API(); api.Comments() {
		api.Comment(a.commentKey("plan", p.Pipeline, p), report.PlanComment(p, a.actions.RunURL(), github.MaxComment, a.masker.String))
	}
	a.actions.Close(ctx)
}

// commentKey tells comments of several specs of a repository apart.
func (a *app) commentKey(kind, name string, p *plan.Plan) string {
	file := p.Spec
	if from, err := filepath.Rel(a.env.Getenv("GITHUB_WORKSPACE"), a.abs(file)); err == nil {
		file = from
	}
	return kind + " " + name + " " + file
}
