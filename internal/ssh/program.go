package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// program is a binary of turnout that can be an agent.
type program struct {
	path string
	hash string // SHA-256 in hexadecimal, the first hashDigits of it
	size int64
}

// hashDigits name a binary: 128 bits.
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
		p, err := readProgram(path)
		if errors.Is(err, fs.ErrNotExist) {
			return program{}, fmt.Errorf("the server is %s, and %s is not there: put turnout's binary for linux/%s there, or install it on the server and name it: agent = \"/usr/local/bin/turnout\"", platform, path, arch)
		}
		return p, err
	})
}

func readProgram(path string) (program, error) {
	file, err := os.Open(path)
	if err != nil {
		return program{}, err
	}
	defer file.Close()
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	return program{path: path, hash: hex.EncodeToString(digest.Sum(nil))[:hashDigits], size: size}, err
}
