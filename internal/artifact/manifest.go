package artifact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Schema is the version of the manifest. Fields are added within a version,
// never renamed or removed.
const Schema = 1

// Manifest says what an artifact consists of, in the order of the archive: each
// folder before what lies in it.
type Manifest struct {
	Schema  int       `json:"schema"`
	Name    string    `json:"name"`
	Run     string    `json:"run"`
	Created time.Time `json:"created"`
	Files   int       `json:"files"`
	Size    int64     `json:"size"` // bytes of the files
	Archive Archive   `json:"archive"`
	Entries []Entry   `json:"entries"`
}

// Archive is the file that holds the entries: tar, packed with Zstandard.
type Archive struct {
	SHA256 string `json:"sha256"` // in hex
	Size   int64  `json:"size"`
}

// Type is what an entry is.
type Type string

const (
	File   Type = "file"
	Folder Type = "folder"
	Link   Type = "link"
)

// Entry is a file, folder or link of an artifact. Paths are slash-separated and
// relative to the workspace. Owner, set-uid and extended attributes are not kept.
type Entry struct {
	Path    Text      `json:"path"`
	Type    Type      `json:"type"`
	Mode    Mode      `json:"mode"`
	Size    int64     `json:"size,omitempty"`
	ModTime time.Time `json:"mtime"`
	SHA256  string    `json:"sha256,omitempty"` // of a file, in hex
	Target  Text      `json:"target,omitempty"` // of a link, as it stands
}

// Mode are permission bits, in octal: "0644".
type Mode fs.FileMode

// String is the mode as chmod takes it.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText is String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 9)
	*m = Mode(n)
	return err
}

func (m *Manifest) write(root *os.Root, dir string) error {
	file, err := root.OpenFile(path.Join(dir, manifestName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(file).Encode(m), file.Sync(), file.Close())
}

// readManifest reads the manifest in dir and holds it against what manifests
// are. Everything in it may have been tampered with.
func readManifest(root *os.Root, dir string) (*Manifest, error) {
	file, err := root.Open(path.Join(dir, manifestName))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, cause(err))
	}
	defer file.Close()
	m := new(Manifest)
	decoder := json.NewDecoder(file)
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: goes on after its end", manifestName)
	}
	if m.Name != path.Base(path.Dir(dir)) || m.Run != path.Base(dir) {
		return nil, fmt.Errorf("%s: is that of artifact %.70q, run %.70q", manifestName, m.Name, m.Run)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	return m, nil
}

// check refuses a manifest that Keep would not write.
func (m *Manifest) check() error {
	if m.Schema != Schema {
		return fmt.Errorf("has version %d of the format, and this is turnout for version %d", m.Schema, Schema)
	}
	known := map[Text]Type{".": Folder}
	files, size := 0, int64(0)
	for _, e := range m.Entries {
		if err := e.check(known); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		known[e.Path] = e.Type
		if e.Type == File {
			files, size = files+1, size+e.Size
		}
	}
	if files != m.Files || size != m.Size {
		return fmt.Errorf("lists %d files of %d bytes, and says %d of %d", files, size, m.Files, m.Size)
	}
	return nil
}

// check holds an entry against those before it.
func (e *Entry) check(known map[Text]Type) error {
	p := string(e.Path)
	_, twice := known[e.Path]
	switch {
	case !filepath.IsLocal(p) || path.Clean(p) != p || strings.ContainsRune(p, 0):
		return errors.New("is not a path inside the artifact")
	case twice:
		return errors.New("is there twice")
	case known[Text(path.Dir(p))] != Folder:
		return errors.New("lies in no folder of the artifact")
	case e.Type != File && e.Type != Folder && e.Type != Link:
		return fmt.Errorf("is of no known type (%.20q)", e.Type)
	case e.Size < 0 || e.Type != File && e.Size > 0:
		return fmt.Errorf("has a size of %d", e.Size)
	case e.Type == Link && (e.Target == "" || strings.ContainsRune(string(e.Target), 0)):
		return errors.New("is a link to nowhere")
	}
	return nil
}

// leaving are the links that lead out of the tree of entries, or in circles.
func leaving(entries []Entry) []Entry {
	links := make(map[string]string)
	for _, e := range entries {
		if e.Type == Link {
			links[string(e.Path)] = string(e.Target)
		}
	}
	var all []Entry
	for _, e := range entries {
		if e.Type == Link && !machine.LinkStays(path.Dir(string(e.Path)), string(e.Target), links) {
			all = append(all, e)
		}
	}
	return all
}
