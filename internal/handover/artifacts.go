package handover

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/org/deploy-action/internal/artifact"
	"github.com/org/deploy-action/internal/plan"
)

// Pack packs what the workspace holds of the artifacts and hands it over into
// dir, as the run of that id. It returns the names of those that there is
// something of.
func Pack(ctx context.Context, dir, workspace, run string, artifacts []*plan.Artifact) ([]string, error) {
	var packed []string
	for _, a := range artifacts {
		kept, err := artifact.In(workspace).Keep(ctx, artifact.Order{Name: a.Name, Run: run, Patterns: a.Patterns, Keep: math.MaxInt}, func(int64, int64) {})
		if err != nil {
			return nil, err
		}
		if kept.Missing {
			continue
		}
		if err := move(workspace, filepath.Join(dir, run), filepath.Dir(kept.Path)); err != nil {
			return nil, fmt.Errorf("artifact %s: %w", a.Name, err)
		}
		packed = append(packed, a.Name)
	}
	return packed, nil
}

// move moves the folder at that relative path from one workspace to another.
func move(from, to, path string) error {
	there, here := filepath.Join(to, path), filepath.Join(from, path)
	if err := os.MkdirAll(filepath.Dir(there), 0o700); err != nil {
		return err
	}
	return errors.Join(os.CopyFS(there, os.DirFS(here)), os.RemoveAll(here))
}

// Unpack puts what those stages have left of artifacts into the workspace, in
// their order: of a file that several have left, the last one's stays.
func (h *Handed) Unpack(ctx context.Context, workspace string, stages []*plan.Stage) error {
	for _, stage := range stages {
		record, known := h.Of(stage.Name)
		if !known {
			continue
		}
		for _, name := range record.Artifacts {
			wish := artifact.Wish{Name: name, Run: record.Run, Dest: workspace, Force: true}
			if _, err := artifact.In(record.dir).Get(ctx, wish); err != nil {
				return fmt.Errorf("what stage %s has left: %w", stage.Name, err)
			}
		}
	}
	return nil
}
