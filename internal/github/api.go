package github

import (
	"context"
	"crypto/rand"
	"strconv"
)

// API tells people on GitHub what turnout does: deployments of environments, and
// comments of the pull request at hand. Everything happens beside the caller, and
// Actions.Close says what could not be told. A nil API tells nobody.
type API struct {
	client      *client
	desk        *desk
	deployments *deployments // nil: not told
	comments    *comments    // nil: not told, or there is no pull request
}

// API is the one of this job; nil where there is no token to use it with. The
// secrets of the spec have to be known before it is first asked for.
func (a *Actions) API() *API {
	if a.people != nil {
		return a.people
	}
	client := a.client()
	if client == nil {
		return nil
	}
	a.people = &API{client: client, desk: newDesk()}
	known := a.Context()
	if a.settings.Deployments {
		a.people.deployments = &deployments{
			client: client, ref: known["head_sha"], log: a.RunURL(), proposed: known["pull_request"] != "",
			mark: rand.Text(), all: make(map[string]*deployment),
		}
	}
	if number, err := strconv.Atoi(known["pull_request"]); err == nil && a.settings.Comment {
		a.people.comments = &comments{client: client, number: number, all: make(map[string]*comment)}
	}
	return a.people
}

// Deploy tells what has become of a target: its deployment of this job, which is
// begun when it is first told of. States before the last one may go untold.
func (p *API) Deploy(t Target, s Status) {
	if p.deploys() {
		p.deployments.want(t, s)
		p.desk.add(p.deployments.errand("deployment of ", t.Name, p.deployments.sync))
	}
}

func (p *API) deploys() bool { return p != nil && p.deployments != nil }

// Retire tells that a target is gone: none of its deployments is active any more.
func (p *API) Retire(name, description string) {
	if p.deploys() {
		p.desk.add(p.deployments.errand("end of ", name, func(ctx context.Context, name string) error {
			return p.deployments.restore(ctx, name, "", description)
		}))
	}
}

// Restore tells that a target went back to a release that it had before: the
// deployment of that one is active again, and no other.
func (p *API) Restore(name, release, description string) {
	if p.deploys() {
		p.desk.add(p.deployments.errand("rollback of ", name, func(ctx context.Context, name string) error {
			return p.deployments.restore(ctx, name, release, description)
		}))
	}
}

// Comments reports whether there is a pull request to comment on.
func (p *API) Comments() bool { return p != nil && p.comments != nil }

// Comment writes the comment that goes by that key on the pull request, in place
// of what it said before. The key is the same in every run that is to find it.
func (p *API) Comment(key, markdown string) {
	if p.Comments() {
		p.comments.want(key, markdown)
		p.desk.add(errand{"comment on the pull request", "pull-requests: write", "comment", p.comments.sync})
	}
}

// Close waits a little for what is still to be told on GitHub, less where ctx is
// cancelled, drops the rest, and warns of what could not be told. The token of a
// fork's job may only read, which its owner can't help.
func (a *Actions) Close(ctx context.Context) {
	if a.people == nil {
		return
	}
	var warnings []annotation
	for _, err := range a.people.desk.close(ctx) {
		if forbids(err) && a.Context()["fork"] == "true" {
			continue
		}
		warnings = append(warnings, annotation{kind: "warning", title: "Not told on GitHub", text: err.Error()})
	}
	a.annotate(warnings)
}
