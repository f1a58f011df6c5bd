package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aymanbagabas/go-udiff"
)

// Saved is a plan in a file: what was planned, from what, and what was live then.
// It holds no secret.
type Saved struct {
	Turnout   string            `json:"turnout"`             // version that made it
	Made      time.Time         `json:"made"`                // when
	Variables map[string]string `json:"variables,omitempty"` // values given from outside, but of sensitive ones
	Spec      string            `json:"spec_sha256"`         // of the spec's normal form, in hex
	Plan      json.RawMessage   `json:"plan"`                // as WriteJSON writes it
}

// Parse reads a plan's file.
func Parse(data []byte) (*Saved, error) {
	var s Saved
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("is no plan, or damaged: %w", err)
	}
	if _, err := s.parts(); err != nil {
		return nil, err
	}
	return &s, nil
}

// parts is the plan in the file.
func (s *Saved) parts() (planJSON, error) {
	var p planJSON
	if len(s.Plan) == 0 {
		return p, errors.New("is no plan that turnout plan -out has written")
	}
	if err := json.Unmarshal(s.Plan, &p); err != nil {
		return p, fmt.Errorf("is no plan, or damaged: %w", err)
	}
	if p.Schema != Schema {
		return p, fmt.Errorf("has schema %d, this version reads %d: plan again", p.Schema, Schema)
	}
	return p, nil
}

// Bytes is the file.
func (s *Saved) Bytes() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(s)
	return out.Bytes(), err
}

// From names the spec and the pipeline that the plan was made of.
func (s *Saved) From() (file, pipeline string) {
	p, _ := s.parts() // Parse has looked
	return p.Spec, p.Pipeline
}

// Changed is how a plan differs from the saved one, less what is live: unified,
// and empty where it does not. Both are given as WriteJSON writes them, masked.
func (s *Saved) Changed(now []byte) (string, error) {
	before, err := intent(s.Plan)
	if err != nil {
		return "", err
	}
	after, err := intent(now)
	if err != nil {
		return "", err
	}
	return udiff.Unified("planned", "now", before, after), nil
}

// intent is a plan without what was found on machines: neither the hosts nor the
// number of processors here.
func intent(data []byte) (string, error) {
	var p planJSON
	if err := json.Unmarshal(data, &p); err != nil {
		return "", err
	}
	p.MaxParallel = 0
	for i := range p.Deploys {
		p.Deploys[i].Preview = nil
	}
	text, err := json.MarshalIndent(p, "", "  ")
	return string(text) + "\n", err
}

// Expect has each environment's first deploy of p refuse to start where what is
// live is not what the saved plan found. The deploys of both are the same.
func (s *Saved) Expect(p *Plan) {
	saved, _ := s.parts()
	seen := make(map[string]bool)
	for i, deploy := range p.Deploys {
		env := string(deploy.Environment.Name)
		if i >= len(saved.Deploys) || saved.Deploys[i].Preview == nil || seen[env] {
			continue
		}
		seen[env] = true
		deploy.Planned = append([]Fact{}, saved.Deploys[i].Preview.Live...)
	}
}
