package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/deploy-action/internal/artifact"
	"github.com/org/deploy-action/internal/event"
)

// artifactPrefix begins a release that is what an earlier run has kept:
// "artifact:app", or "artifact:app@RUN".
const artifactPrefix = "artifact:"

// unpacked is the folder to ship for an artifact, until done is called. Where all
// that is in it lies in one folder, such as dist, that one is the release.
func (r *run) unpacked(ctx context.Context, release string) (string, func() error, error) {
	name, of, _ := strings.Cut(strings.TrimPrefix(release, artifactPrefix), "@")
	dir := filepath.Join(r.dir, "release")
	m, err := artifact.In(r.app.dir).Get(ctx, artifact.Wish{Name: name, Run: of, Dest: dir})
	if err != nil {
		return "", nil, fmt.Errorf("release: %w", unknownArtifact(err))
	}
	r.emit(event.Event{Kind: event.Notice, Note: &event.Note{Level: event.Info, Text: fmt.Sprintf("the release is artifact %s of run %s", m.Name, m.Run)}})
	return within(dir), func() error { return os.RemoveAll(dir) }, nil
}

// within is the innermost folder that all of dir lies in.
func within(dir string) string {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 1 && entries[0].IsDir() {
		return within(filepath.Join(dir, entries[0].Name()))
	}
	return dir
}

// resolve makes a release a path, until done is called.
func (r *run) resolve(ctx context.Context, release string) (path string, done func() error, err error) {
	if strings.HasPrefix(release, artifactPrefix) {
		return r.unpacked(ctx, release)
	}
	return r.app.abs(release), func() error { return nil }, nil
}
