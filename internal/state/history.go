package state

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Record adds a deploy to the history of an environment, in one step, and lets
// go of the oldest beyond HistoryLength.
var Record = machine.Op[Recording, machine.None]{Name: "state.record", Do: func(_ context.Context, _ machine.At, r Recording) (machine.None, error) {
	return machine.None{}, record(r)
}}

// History reads the history of the environment with that directory.
var History = machine.Op[string, Past]{Name: "state.history", Do: func(_ context.Context, _ machine.At, dir string) (Past, error) {
	deploys, corrupt, err := readLines[Deploy](filepath.Join(dir, historyName))
	slices.Reverse(deploys)
	return Past{Deploys: deploys, Corrupt: corrupt}, err
}}

// HistoryLength is how many deploys are remembered.
const HistoryLength = 50

const historyName = "history.jsonl"

// Deploy is one deploy or rollback of the past.
type Deploy struct {
	Time        time.Time     `json:"time"`               // of its start
	Began       time.Time     `json:"run_began,omitzero"` // of the run that it is part of
	Run         string        `json:"run"`
	Command     string        `json:"command,omitempty"`
	Actor       string        `json:"actor,omitempty"`
	Commit      string        `json:"commit,omitempty"`
	URL         string        `json:"url,omitempty"`
	Outcome     string        `json:"outcome"`
	Reason      string        `json:"reason,omitempty"`
	From        string        `json:"from,omitempty"` // slot; empty at the first deploy
	FromRelease string        `json:"from_release,omitempty"`
	To          string        `json:"to,omitempty"` // slot
	ToRelease   string        `json:"to_release,omitempty"`
	Requests    int           `json:"requests,omitempty"` // of the built-in prober
	Failed      int           `json:"failed,omitempty"`
	Took        time.Duration `json:"took_ns"`
}

// Recording is a deploy for the history of the environment whose state is in
// Dir.
type Recording struct {
	Dir    string `json:"dir"`
	Deploy Deploy `json:"deploy"`
}

// Past is a history.
type Past struct {
	Deploys []Deploy `json:"deploys,omitempty"` // newest first
	Corrupt int      `json:"corrupt,omitempty"` // lines left out
}

func record(r Recording) error {
	if err := makeDir(r.Dir); err != nil {
		return err
	}
	path := filepath.Join(r.Dir, historyName)
	deploys, _, err := readLines[Deploy](path)
	if err != nil {
		return err
	}
	deploys = append(deploys, r.Deploy)
	var text bytes.Buffer
	for _, deploy := range deploys[max(0, len(deploys)-HistoryLength):] {
		text.Write(encode(deploy))
	}
	return machine.WriteFile(path, text.Bytes(), fileMode)
}
