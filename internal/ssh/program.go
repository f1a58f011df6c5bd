package ssh

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// program is a binary of turnout that can be an agent.
type program struct {
	path    string
	build   string                  // tells it from every other, hashDigits long
	content func() (content, error) // read once somebody uploads it
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

// ownPlatform is what uname -sm says here, the guess for every server.
func ownPlatform() string {
	for machine, arch := range architectures {
		if arch == runtime.GOARCH && machine != "arm64" && machine != "armv6l" && machine != "i386" {
			return "Linux " + machine
		}
	}
	return "Linux " + runtime.GOARCH
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
		path := d.options.Program
		if arch != runtime.GOARCH {
			path = filepath.Join(filepath.Dir(path), "turnout-linux-"+arch)
		}
		p, err := newProgram(path)
		if errors.Is(err, fs.ErrNotExist) {
			return program{}, fmt.Errorf("the server is %s, and %s is not there: put turnout's binary for linux/%s there, or install it on the server and name it: agent = \"/usr/local/bin/turnout\"", platform, path, arch)
		}
		return p, err
	})
}

func newProgram(path string) (program, error) {
	build, err := buildOf(path)
	return program{path, build, sync.OnceValues(func() (content, error) { return contentOf(path) })}, err
}

// buildNote is the section in which Go's linker notes the build, the last part of
// it a hash of the binary: cmd/go/internal/work/buildid.go.
const buildNote = ".note.go.buildid"

// buildOf names a binary by the note of its build, as to read and hash all of it
// took more than anything else of a short run. What has no such note is named by
// what it holds.
func buildOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if binary, err := elf.NewFile(file); err == nil {
		if note := binary.Section(buildNote); note != nil {
			id, err := note.Data()
			return digits(sha256.Sum256(id)), err
		}
	}
	c, err := contentOf(path)
	return c.hash, err
}

func contentOf(path string) (content, error) {
	file, err := os.Open(path)
	if err != nil {
		return content{}, err
	}
	defer file.Close()
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	return content{digits([sha256.Size]byte(digest.Sum(nil))), size}, err
}

func digits(hash [sha256.Size]byte) string { return hex.EncodeToString(hash[:])[:hashDigits] }
