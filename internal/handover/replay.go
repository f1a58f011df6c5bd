package handover

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/org/deploy-action/internal/event"
)

// Replay returns what the runs have told of their stages, in the order of time,
// without how the stages ended: whoever takes their records says that. The logs
// it speaks of are copied into runDir.
func (h *Handed) Replay(runDir string) ([]event.Event, error) {
	var all []event.Event
	for _, record := range h.records {
		data, err := os.ReadFile(filepath.Join(record.dir, event.LogName))
		if err != nil {
			return nil, err
		}
		told, err := event.Read(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		for _, e := range told {
			if of(e, record.Stage) {
				all = append(all, moved(e, runDir))
			}
		}
		if err := copyFiles(record.dir, runDir, isLog); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	return all, nil
}

// of reports whether e tells of a stage, or of a server it has used.
func of(e event.Event, stage string) bool {
	return e.Stage == stage && e.Kind != event.StageFinished || e.Kind == event.ServerSampled
}

// moved is e with its log in another folder.
func moved(e event.Event, dir string) event.Event {
	if e.Step != nil && e.Step.Log != "" {
		step := *e.Step
		step.Log = filepath.Join(dir, filepath.Base(step.Log))
		e.Step = &step
	}
	return e
}

func isLog(name string) bool { return filepath.Ext(name) == ".log" }

// copyFiles copies the files of a folder whose names are wanted.
func copyFiles(from, into string, wanted func(string) bool) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !wanted(entry.Name()) {
			continue
		}
		if err := copyFile(filepath.Join(from, entry.Name()), filepath.Join(into, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
