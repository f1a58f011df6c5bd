// Package github is the only door to GitHub Actions: it masks secrets,
// annotates the spec's lines, sets outputs, writes the job summary, reads what
// the workflow knows, and turns the action's inputs into a command line.
package github

import (
	"io"
	"strings"

	actions "github.com/sethvargo/go-githubactions"

	"github.com/org/deploy-action/internal/secret"
)

// Actions is the job that turnout runs in. Its methods are for one goroutine at
// a time.
type Actions struct {
	api    *actions.Action
	getenv func(string) string
	masker *secret.Masker
	issued map[string]int // annotations, by kind
	known  map[string]string
	people *API // who are told by GitHub's API; nil until first asked for

	settings Settings
}

// Detect returns the job that getenv tells of, and whether there is one:
// GitHub sets GITHUB_ACTIONS to "true" in every job. Commands to the runner go
// to stdout.
func Detect(getenv func(string) string, stdout io.Writer) (*Actions, bool) {
	if getenv("GITHUB_ACTIONS") != "true" {
		return nil, false
	}
	a := &Actions{getenv: getenv, masker: secret.New(nil), issued: make(map[string]int)}
	a.settings, _ = readSettings(getenv) // EntrypointArgs tells of a mistake
	a.SpeakTo(stdout)
	return a, true
}

// Settings are the inputs that are no part of the command line.
func (a *Actions) Settings() Settings { return a.settings }

// SpeakTo sends commands to the runner to w from now on: standard output or
// standard error, of which the runner reads both.
func (a *Actions) SpeakTo(w io.Writer) {
	a.api = actions.New(actions.WithGetenv(a.getenv), actions.WithWriter(steady{w}))
}

// steady takes every write. The library panics where the runner's pipe is
// closed, and a lost line of the log is no reason to leave a switch half done.
type steady struct{ io.Writer }

func (s steady) Write(p []byte) (int, error) {
	_, _ = s.Writer.Write(p)
	return len(p), nil
}

// Mask tells the runner, and this package, to hide secrets from now on. What is
// too short to be hidden is so by the rule of secret.Masker: masking "}" would
// black out every brace of a log.
func (a *Actions) Mask(secrets []string) {
	a.masker = secret.New(secrets)
	for _, text := range secrets {
		lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
		shortest := 4
		if len(lines) == 1 {
			shortest = 3
		}
		for _, line := range lines {
			if len(strings.TrimSpace(line)) >= shortest {
				a.api.AddMask(line)
			}
		}
	}
}
