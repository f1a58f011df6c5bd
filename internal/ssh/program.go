package ssh

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// program is a binary of turnout that can be an agent.
type program struct {
	build   string                  // tells it from every other, hashDigits long
	content func() (content, error) // read once somebody uploads it
	open    func() (binary, error)
}

// binary is an open binary.
type binary interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

// content is what a binary holds.
type content struct {
	hash string // SHA-256 in hexadecimal, the first hashDigits of it
	size int64
}

// hashDigits name a binary and what it holds: 128 bits each.
const hashDigits = 32

// architectures are Go's names for what uname -m says.
var architectures = map[string]string{
	"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm", "armv6l": "arm",
	"i686": "386", "i386": "386", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x",
}

// guess is what uname -sm most likely says on a server: what it says here or, where
// this is no Linux, what there is an agent for. It is empty where there is none.
func (d *Dialer) guess() string {
	for machine, arch := range architectures {
		if "linux/"+arch == d.options.Platform && machine != "arm64" && machine != "armv6l" && machine != "i386" {
			return "Linux " + machine
		}
	}
	for _, platform := range []string{"Linux x86_64", "Linux aarch64"} {
		if _, err := d.program(platform); err == nil {
			return platform
		}
	}
	return ""
}

// program is the binary for a platform, as uname -sm says it: our own, or one
// beside it.
func (d *Dialer) program(platform string) (program, error) {
	system, machine, _ := strings.Cut(platform, " ")
	arch := architectures[machine]
	if system != "Linux" || arch == "" {
		return program{}, fmt.Errorf("the server is %s: there is an agent for Linux on amd64, arm64 and other architectures that turnout was built for", platform)
	}
	return d.programs.get(arch, func() (program, error) {
		if "linux/"+arch == d.options.Platform {
			return newProgram(d.options.Program)
		}
		beside := filepath.Join(filepath.Dir(d.options.Program), "turnout-linux-"+arch)
		p, err := newProgram(beside)
		if errors.Is(err, fs.ErrNotExist) {
			p, err = unpacked(beside + ".zst")
		}
		if errors.Is(err, fs.ErrNotExist) {
			return program{}, d.missing(platform, beside)
		}
		return p, err
	})
}

// releases is where the binaries of versions are.
const releases = "https://github.com/org/deploy-action/releases/download/v"

func (d *Dialer) missing(platform, path string) error {
	from := releases + d.options.Version + "/"
	return fmt.Errorf("the server is %s, and %s is not there: put %s%s there (its SHA-256 is in %schecksums.txt), or install it on the server and name it: agent = \"/usr/local/bin/turnout\"",
		platform, path, from, filepath.Base(path), from)
}

func newProgram(path string) (program, error) {
	return programOf(func() (binary, error) { return os.Open(path) })
}

// unpacked is a binary that was packed with zstd. All of it stays in memory, as the
// place of an action's image is nowhere to write to, and few runs need it.
func unpacked(path string) (program, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	unpacker, err := zstd.NewReader(nil)
	if err != nil {
		return program{}, err
	}
	defer unpacker.Close()
	whole, err := unpacker.DecodeAll(packed, nil)
	if err != nil {
		return program{}, fmt.Errorf("%s: %w", path, err)
	}
	return programOf(func() (binary, error) { return inMemory{bytes.NewReader(whole)}, nil })
}

// inMemory is a binary that needs no file.
type inMemory struct{ *bytes.Reader }

// Close does nothing.
func (inMemory) Close() error { return nil }

func programOf(open func() (binary, error)) (program, error) {
	file, err := open()
	if err != nil {
		return program{}, err
	}
	defer file.Close()
	build, err := buildOf(file)
	return program{build, sync.OnceValues(func() (content, error) { return contentOf(open) }), open}, err
}

// buildNote is the section in which Go's linker notes the build, the last part of
// it a hash of the binary: cmd/go/internal/work/buildid.go.
const buildNote = ".note.go.buildid"

// buildOf names a binary by the note of its build, as to read and hash all of it
// took more than anything else of a short run. What has no such note is named by
// what it holds.
func buildOf(file binary) (string, error) {
	if whole, err := elf.NewFile(file); err == nil {
		if note := whole.Section(buildNote); note != nil {
			id, err := note.Data()
			return digits(sha256.Sum256(id)), err
		}
	}
	c, err := read(file)
	return c.hash, err
}

func contentOf(open func() (binary, error)) (content, error) {
	file, err := open()
	if err != nil {
		return content{}, err
	}
	defer file.Close()
	return read(file)
}

func read(file binary) (content, error) {
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	return content{digits([sha256.Size]byte(digest.Sum(nil))), size}, err
}

func digits(hash [sha256.Size]byte) string { return hex.EncodeToString(hash[:])[:hashDigits] }
