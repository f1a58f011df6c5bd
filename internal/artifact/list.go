package artifact

import (
	"fmt"
	"os"
	"path"
	"time"
)

// Listed is one kept run of an artifact.
type Listed struct {
	Name    string    `json:"name"`
	Run     string    `json:"run"`
	Created time.Time `json:"created"`
	Files   int       `json:"files"`
	Size    int64     `json:"size"`             // bytes of the files
	Packed  int64     `json:"packed"`           // bytes of the archive
	Damage  string    `json:"damage,omitempty"` // why it can't be unpacked; then only name and run are known
}

// List is what is kept of an artifact, or of all without a name: by name, the
// newest run first. It reads manifests and the sizes of archives; what is in an
// archive only shows when it is unpacked.
func (s Store) List(name string) ([]Listed, error) {
	root, err := s.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	wanted, err := names(root)
	if err != nil {
		return nil, err
	}
	if name != "" {
		if _, _, err := pick(root, name, ""); err != nil {
			return nil, err
		}
		wanted = []string{name}
	}
	var all []Listed
	for _, name := range wanted {
		found, err := runs(root, name)
		if err != nil {
			return nil, err
		}
		for _, run := range found {
			all = append(all, describe(root, name, run))
		}
	}
	return all, nil
}

func describe(root *os.Root, name, run string) Listed {
	listed := Listed{Name: name, Run: run}
	m, err := readSound(root, path.Join(Dir, name, run))
	if err != nil {
		listed.Damage = err.Error()
		return listed
	}
	listed.Created, listed.Files, listed.Size, listed.Packed = m.Created, m.Files, m.Size, m.Archive.Size
	return listed
}

// readSound reads a manifest whose archive is there in its full size.
func readSound(root *os.Root, dir string) (*Manifest, error) {
	m, err := readManifest(root, dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(path.Join(dir, archiveName))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", archiveName, cause(err))
	}
	if info.Size() != m.Archive.Size {
		return nil, fmt.Errorf("%s: is %d bytes long, and the manifest says %d", archiveName, info.Size(), m.Archive.Size)
	}
	return m, nil
}

// Contents is the manifest of an artifact, of the newest run where none is
// named. The archive is not read.
func (s Store) Contents(name, run string) (*Manifest, error) {
	root, err := s.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, run, err := pick(root, name, run)
	if err != nil {
		return nil, err
	}
	m, err := readSound(root, dir)
	if err != nil {
		return nil, of(name, run, err)
	}
	return m, nil
}

// of names the artifact that err is about.
func of(name, run string, err error) error {
	return fmt.Errorf("artifact %s of run %s: %w", name, run, err)
}
