package plan

import (
	"encoding/json"
	"io"

	"github.com/org/deploy-action/internal/spec"
)

// Schema is the version of the plan's JSON. Fields are added within a version,
// never renamed or removed.
const Schema = 1

type planJSON struct {
	Schema      int            `json:"schema"`
	Spec        string         `json:"spec"`
	Pipeline    string         `json:"pipeline,omitempty"`
	MaxParallel int            `json:"max_parallel,omitempty"`
	FailFast    bool           `json:"fail_fast,omitempty"`
	Waves       [][]string     `json:"waves,omitempty"`
	Stages      []stageJSON    `json:"stages,omitempty"`
	Rollbacks   []stageJSON    `json:"rollbacks,omitempty"`
	Deploys     []deployJSON   `json:"deploys,omitempty"`
	Artifacts   []artifactJSON `json:"artifacts,omitempty"`
}

type stageJSON struct {
	Name        string            `json:"name"`
	Leg         string            `json:"leg_of,omitempty"`
	Matrix      map[string]string `json:"matrix,omitempty"`
	Type        string            `json:"type,omitempty"`
	Needs       []string          `json:"needs,omitempty"`
	When        string            `json:"when,omitempty"`
	Runs        *bool             `json:"runs,omitempty"` // the answer to when, where it is known
	Run         string            `json:"run,omitempty"`
	Env         map[string]string `json:"env,omitempty"`
	Dir         string            `json:"dir,omitempty"`
	Environment string            `json:"environment,omitempty"` // of a deploy
	Release     string            `json:"release,omitempty"`
	Task        *taskJSON         `json:"task,omitempty"`
	Timeout     float64           `json:"timeout_seconds"` // 0: none
	Retries     int               `json:"retries,omitempty"`
	OnFailure   string            `json:"on_failure"`
	Pos         spec.Pos          `json:"pos"`
}

type taskJSON struct {
	Name        string            `json:"name"`
	Strategy    string            `json:"strategy"`
	Waves       [][]string        `json:"waves"` // servers
	Pause       float64           `json:"pause_seconds,omitempty"`
	Run         string            `json:"run"`
	Env         map[string]string `json:"env,omitempty"`
	Timeout     float64           `json:"timeout_seconds"` // of each server
	Retries     int               `json:"retries,omitempty"`
	OnFailure   string            `json:"on_failure"`
	MaxFailures int               `json:"max_failures,omitempty"`
}

type deployJSON struct {
	Environment string       `json:"environment"`
	Release     string       `json:"release,omitempty"`
	Rollback    bool         `json:"rollback,omitempty"`
	Canary      *canaryJSON  `json:"canary,omitempty"`
	Pos         spec.Pos     `json:"pos"`
	Preview     *previewJSON `json:"preview,omitempty"`
}

type previewJSON struct {
	First    bool     `json:"first,omitempty"`
	From     string   `json:"from,omitempty"`
	FromID   string   `json:"from_release,omitempty"`
	To       string   `json:"to"`
	ToID     string   `json:"to_release,omitempty"`
	Servers  []string `json:"servers,omitempty"`
	Proxies  []string `json:"proxies,omitempty"`
	Config   string   `json:"config"`
	Diff     string   `json:"diff,omitempty"`
	Reload   bool     `json:"reload"`
	Cost     string   `json:"cost"`
	Changes  []string `json:"changes,omitempty"`
	Drift    []string `json:"drift,omitempty"`
	Problems []string `json:"problems,omitempty"`
	Live     []Fact   `json:"live,omitempty"`
}

// WriteJSON prints the plan for a program.
func (p *Plan) WriteJSON(w io.Writer) error {
	out := planJSON{
		Schema: Schema, Spec: p.Spec, Pipeline: p.Pipeline, MaxParallel: p.MaxParallel,
		FailFast: p.FailFast, Waves: p.Waves,
	}
	for _, stage := range p.Stages {
		out.Stages = append(out.Stages, stage.json())
	}
	for _, rollback := range p.Rollbacks {
		out.Rollbacks = append(out.Rollbacks, rollback.json())
	}
	for _, deploy := range p.Deploys {
		out.Deploys = append(out.Deploys, deploy.json())
	}
	for _, artifact := range p.Artifacts {
		out.Artifacts = append(out.Artifacts, artifact.json())
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

func (s *Stage) json() stageJSON {
	out := stageJSON{
		Name: s.Name, Leg: s.Leg, Matrix: s.Matrix, Type: s.Type, Needs: names(s.Needs), Dir: s.Dir, Timeout: s.Timeout.Seconds(),
		Retries: s.Retry.Attempts, OnFailure: string(s.OnFailure), Pos: s.Pos,
	}
	if s.When != nil {
		out.When, out.Runs = s.When.Source, s.When.Fixed
	}
	switch {
	case s.Deploy != nil:
		out.Environment, out.Release = string(s.Deploy.Environment.Name), s.Deploy.Release
		return out
	case s.Task != nil:
		out.Task = s.Task.json()
		return out
	}
	out.Run = s.Run.Source
	for name, text := range s.Env {
		if out.Env == nil {
			out.Env = make(map[string]string, len(s.Env))
		}
		out.Env[name] = text.Source
	}
	return out
}

func (t *Task) json() *taskJSON {
	return &taskJSON{
		Name: t.Name, Strategy: string(t.Strategy), Waves: t.waves(), Pause: t.Pause.Seconds(), Run: t.Run, Env: t.Env,
		Timeout: t.Timeout.Seconds(), Retries: t.Retry.Attempts, OnFailure: string(t.OnFailure), MaxFailures: t.MaxFailures,
	}
}

func (d *Deploy) json() deployJSON {
	out := deployJSON{Environment: string(d.Environment.Name), Release: d.Release, Rollback: d.Rollback, Canary: d.canaryJSON(), Pos: d.Pos}
	if v := d.Preview; v != nil {
		preview := previewJSON(*v)
		out.Preview = &preview
	}
	return out
}
