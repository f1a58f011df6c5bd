package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/deploy-action/internal/artifact"
	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// unpackFor unpacks the artifact that a deploy ships and returns the folder to
// ship, until done is called.
func (r *run) unpackFor(ctx context.Context, d *plan.Deploy) (path string, done func() error, err error) {
	dir, err := os.MkdirTemp(r.dir, "release-") // deploys may run side by side
	if err != nil {
		return "", nil, err
	}
	path, err = r.unpacked(ctx, d, filepath.Join(dir, "tree"))
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("release: %w", err)
	}
	return path, func() error { return os.RemoveAll(dir) }, nil
}

// unpacked puts an artifact into dest and returns the folder to ship. Where all
// that is in it lies in one folder, such as dist, that one is the release.
func (r *run) unpacked(ctx context.Context, d *plan.Deploy, dest string) (string, error) {
	if d.Made != nil {
		order := artifact.Order{Name: d.Made.Name, Run: r.about.ID, Patterns: d.Made.Patterns}
		if _, err := artifact.In(r.app.dir).Gather(ctx, order, r.relative(dest)); err != nil {
			return "", err
		}
		r.tellSource(d.Made.Name, "this run")
		return within(dest), nil
	}
	name, of, _ := strings.Cut(strings.TrimPrefix(d.Release, spec.ArtifactPrefix), "@")
	m, err := artifact.In(r.app.dir).Get(ctx, artifact.Wish{Name: name, Run: of, Dest: dest})
	if err != nil {
		return "", unknownArtifact(err)
	}
	r.tellSource(m.Name, "run "+m.Run)
	return within(dest), nil
}

func (r *run) tellSource(name, of string) {
	r.emit(event.Event{Kind: event.Notice, Note: &event.Note{Level: event.Info, Text: fmt.Sprintf("the release is artifact %s of %s", name, of)}})
}

// within is the innermost folder that all of dir lies in.
func within(dir string) string {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 1 && entries[0].IsDir() {
		return within(filepath.Join(dir, entries[0].Name()))
	}
	return dir
}
