package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Target is what GitHub calls an environment: what something is deployed to.
type Target struct {
	Name      string
	Transient bool // it will be gone one day, as a preview is
}

// State is what has become of a deployment, in GitHub's words.
type State string

const (
	InProgress State = "in_progress"
	Live       State = "success"
	Failure    State = "failure"
	Broken     State = "error" // needs a hand
	Inactive   State = "inactive"
)

// active reports whether a deployment in the state still claims its environment.
func (s State) active() bool { return s != Failure && s != Broken && s != Inactive }

// Status is what is told about a deployment.
type Status struct {
	State       State
	Description string // cut to 140 characters
	Release     string // that is live, so that Restore finds it; empty: unknown
	URL         string // where it is reached; empty: not told
}

// maxDescription is what GitHub takes, in characters.
const maxDescription = 140

// deployments are those of one job.
type deployments struct {
	client   *client
	ref, log string // commit, address of the job's log
	proposed bool   // by a pull request
	mark     string // of the deployments of this job

	mu  sync.Mutex
	all map[string]*deployment // by target
}

// deployment is one of this job. Below wanted, all is the desk's alone.
type deployment struct {
	target Target
	wanted Status

	id    int64 // 0: not begun
	tried bool  // to begin it: GitHub may have done it
	told  Status
	alone bool // no other has to be marked as replaced by it
}

func (d *deployments) want(t Target, s Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all[t.Name] == nil {
		d.all[t.Name] = &deployment{target: t}
	}
	d.all[t.Name].wanted = s
}

// of is the deployment of a target with what is to be told now.
func (d *deployments) of(name string) (*deployment, Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all[name], d.all[name].wanted
}

func (d *deployments) errand(what, target string, do func(context.Context, string) error) errand {
	return errand{what + target, "deployments: write", "deployments", func(ctx context.Context) error { return do(ctx, target) }}
}

// sync tells what is to be told of a target, and that those before are replaced.
func (d *deployments) sync(ctx context.Context, name string) error {
	of, wanted := d.of(name)
	if of.id == 0 {
		if err := d.begin(ctx, of); err != nil {
			return err
		}
	}
	if of.told != wanted {
		if err := d.tell(ctx, of.id, wanted); err != nil {
			return err
		}
		of.told, of.alone = wanted, wanted.State != Live
	}
	if of.alone {
		return nil
	}
	err := d.replace(ctx, name, of.id)
	of.alone = err == nil
	return err
}

// newDeployment is the request for a deployment. Without the two fields that say
// so, GitHub merges branches and waits for the checks of the commit, of which the
// job that asks is one.
type newDeployment struct {
	Ref              string        `json:"ref"`
	Environment      string        `json:"environment"`
	AutoMerge        bool          `json:"auto_merge"`
	RequiredContexts []string      `json:"required_contexts"`
	Transient        bool          `json:"transient_environment"`
	Production       *bool         `json:"production_environment,omitempty"` // nil: it is when it is called production
	Payload          payloadOfOurs `json:"payload"`
}

type payloadOfOurs struct {
	Turnout string `json:"turnout"` // the mark
}

func (d *deployments) begin(ctx context.Context, of *deployment) error {
	if of.tried {
		if err := d.find(ctx, of); err != nil || of.id != 0 {
			return err
		}
	}
	of.tried = true
	request := newDeployment{
		Ref: d.ref, Environment: d.client.masker.String(of.target.Name), RequiredContexts: []string{},
		Transient: of.target.Transient, Payload: payloadOfOurs{d.mark},
	}
	if d.proposed {
		request.Production = new(bool)
	}
	var made oldDeployment
	if err := d.client.send(ctx, http.MethodPost, "deployments", request, &made); err != nil {
		return err
	}
	of.id = made.ID
	return nil
}

// find looks for what an earlier try has begun.
func (d *deployments) find(ctx context.Context, of *deployment) error {
	recent, err := d.recent(ctx, of.target.Name)
	for _, other := range recent {
		if other.mark() == d.mark {
			of.id = other.ID
		}
	}
	return err
}

// oldDeployment is one that is there.
type oldDeployment struct {
	ID      int64           `json:"id"`
	Payload json.RawMessage `json:"payload"` // an object, or one as a string
}

// mark is that of the job that made it, empty where it was not turnout.
func (o oldDeployment) mark() string {
	text := []byte(o.Payload)
	var quoted string
	if json.Unmarshal(text, &quoted) == nil {
		text = []byte(quoted)
	}
	var ours payloadOfOurs
	_ = json.Unmarshal(text, &ours) // of others it may be anything
	return ours.Turnout
}

// recent are the last deployments of a target, newest first.
func (d *deployments) recent(ctx context.Context, target string) ([]oldDeployment, error) {
	var list []oldDeployment
	err := d.client.get(ctx, "deployments?per_page=30&environment="+url.QueryEscape(target), &list)
	return list, err
}

// newStatus is the request for a status.
type newStatus struct {
	State       State  `json:"state"`
	Description string `json:"description"`
	LogURL      string `json:"log_url,omitempty"`
	URL         string `json:"environment_url,omitempty"`
}

func (d *deployments) tell(ctx context.Context, id int64, s Status) error {
	mask := d.client.masker.String
	request := newStatus{State: s.State, Description: describe(mask(s.Description), s.Release), LogURL: mask(d.log), URL: mask(s.URL)}
	return d.client.send(ctx, http.MethodPost, fmt.Sprintf("deployments/%d/statuses", id), request, nil)
}

// describe ends with the release, by which restore finds it.
func describe(text, release string) string {
	room := maxDescription
	if release != "" {
		release = " · " + release
		room -= len([]rune(release))
	}
	if runes := []rune(text); len(runes) > room {
		text = string(runes[:room-1]) + "…"
	}
	return text + release
}

// oldStatus is a status that is there.
type oldStatus struct {
	State       State  `json:"state"`
	Description string `json:"description"`
	URL         string `json:"environment_url"`
}

// statuses are the last ones of a deployment, newest first.
func (d *deployments) statuses(ctx context.Context, id int64) ([]oldStatus, error) {
	var list []oldStatus
	err := d.client.get(ctx, fmt.Sprintf("deployments/%d/statuses?per_page=30", id), &list)
	return list, err
}

// maxLook is how many earlier deployments are looked at.
const maxLook = 10

// earlier visits our deployments of a target that are older than one, newest
// first, with their statuses, until visit says that it has seen enough.
func (d *deployments) earlier(ctx context.Context, target string, than int64, visit func(int64, []oldStatus) (enough bool, err error)) error {
	recent, err := d.recent(ctx, target)
	looked := 0
	for _, other := range recent {
		if other.mark() == "" || than != 0 && other.ID >= than {
			continue
		}
		if looked++; looked > maxLook {
			break
		}
		statuses, err := d.statuses(ctx, other.ID)
		if err != nil {
			return err
		}
		if enough, err := visit(other.ID, statuses); err != nil || enough {
			return err
		}
	}
	return err
}

// replace marks the deployments before one as replaced. GitHub does so by itself
// only where the environment is not called production. What is inactive already
// was replaced, and all before it with it.
func (d *deployments) replace(ctx context.Context, target string, by int64) error {
	return d.earlier(ctx, target, by, func(id int64, statuses []oldStatus) (bool, error) {
		state := latest(statuses)
		if !state.active() {
			return state == Inactive, nil
		}
		return state == Live, d.tell(ctx, id, Status{State: Inactive, Description: "replaced"})
	})
}

// restore makes the deployment of a release the only one that is active; none
// where release is empty.
func (d *deployments) restore(ctx context.Context, target, release, description string) error {
	return d.earlier(ctx, target, 0, func(id int64, statuses []oldStatus) (bool, error) {
		if before := liveWith(statuses, release); before != nil {
			if latest(statuses) == Live {
				return true, nil
			}
			return true, d.tell(ctx, id, Status{State: Live, Description: description, Release: release, URL: before.URL})
		}
		if !latest(statuses).active() {
			return false, nil
		}
		return false, d.tell(ctx, id, Status{State: Inactive, Description: description})
	})
}

// latest is the last status; one without any is as good as begun.
func latest(statuses []oldStatus) State {
	if len(statuses) == 0 {
		return InProgress
	}
	return statuses[0].State
}

// liveWith is the status that told of a release being live, nil if there is none.
func liveWith(statuses []oldStatus, release string) *oldStatus {
	for _, s := range statuses {
		if release != "" && s.State == Live && strings.HasSuffix(s.Description, " · "+release) {
			return &s
		}
	}
	return nil
}
