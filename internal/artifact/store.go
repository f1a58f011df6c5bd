// Package artifact keeps what runs leave: files of the workspace, packed, with a
// manifest of their hashes; the newest runs of each artifact.
//
//	<workspace>/.turnout/artifacts/<name>/<run>/artifact.tar.zst
//	                                            manifest.json
//
// What is being written or removed has a hidden name beside, so that a run that
// was killed leaves nothing that passes for an artifact.
package artifact

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/value"
)

// Dir is where a workspace keeps its artifacts.
const Dir = ".turnout/artifacts"

const (
	archiveName  = "artifact.tar.zst"
	manifestName = "manifest.json"

	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

// Store keeps the artifacts of a workspace.
type Store struct{ workspace string }

// In is the store of the workspace at that path.
func In(workspace string) Store { return Store{workspace: workspace} }

// UnknownError says that something is not kept, and what there is instead.
type UnknownError struct {
	What string // "artifact" or "run"
	Name string
	Dir  string   // where it was looked for, relative to the workspace
	Have []string // newest first, of runs
}

func (e *UnknownError) Error() string {
	have := "there is none"
	if len(e.Have) > 0 {
		have = "there is: " + strings.Join(e.Have, ", ")
	}
	return fmt.Sprintf("no %s %q in %s; %s", e.What, e.Name, e.Dir, have)
}

// open opens the workspace, which nothing the store does can leave.
func (s Store) open() (*os.Root, error) { return os.OpenRoot(s.workspace) }

// names are the artifacts of which there is a folder.
func names(root *os.Root) ([]string, error) {
	return subfolders(root, Dir, func(name string) bool {
		_, err := value.ParseName(name)
		return err == nil
	})
}

// runs are the runs of which an artifact is kept, newest first: their ids begin
// with the time.
func runs(root *os.Root, name string) ([]string, error) {
	all, err := subfolders(root, path.Join(Dir, name), value.IsRun)
	slices.Reverse(all)
	return all, err
}

// subfolders are those of dir that are called as they should, sorted.
func subfolders(root *os.Root, dir string, called func(string) bool) ([]string, error) {
	folder, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entries, err := folder.ReadDir(-1)
	var all []string
	for _, entry := range entries {
		if entry.IsDir() && called(entry.Name()) {
			all = append(all, entry.Name())
		}
	}
	slices.Sort(all)
	return all, err
}

// pick finds an artifact and its run, the newest where none is named.
func pick(root *os.Root, name, run string) (dir, found string, err error) {
	all, err := names(root)
	if err != nil {
		return "", "", err
	}
	if !slices.Contains(all, name) {
		return "", "", &UnknownError{What: "artifact", Name: name, Dir: Dir, Have: all}
	}
	of, err := runs(root, name)
	switch {
	case err != nil:
		return "", "", err
	case run == "" && len(of) > 0:
		run = of[0]
	case !slices.Contains(of, run):
		return "", "", &UnknownError{What: "run", Name: run, Dir: path.Join(Dir, name), Have: of}
	}
	return path.Join(Dir, name, run), run, nil
}
