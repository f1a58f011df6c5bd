package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/org/deploy-action/internal/agent"
)

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
		if _, err := d.program(platform, false); err == nil {
			return platform
		}
	}
	return ""
}

// program is the agent for a platform, as uname -sm says it. turnout-agent, beside
// turnout, does for every server but one that calls AWS: it lacks what only the other
// end needs, and starts in less than half of the time. A whole turnout does for all.
func (d *Dialer) program(platform string, callsAWS bool) (agent.Binary, error) {
	system, machine, _ := strings.Cut(platform, " ")
	arch := architectures[machine]
	if system != "Linux" || arch == "" {
		return agent.Binary{}, fmt.Errorf("the server is %s: there is an agent for Linux on amd64, arm64 and other architectures that turnout was built for", platform)
	}
	small, whole := d.beside("turnout-agent-linux-"+arch), d.beside("turnout-linux-"+arch)
	if "linux/"+arch == d.options.Platform {
		whole = d.options.Program
	}
	paths := []string{whole, whole + packed}
	if !callsAWS {
		paths = append([]string{small, small + packed}, paths...)
	}
	return d.programs.get(fmt.Sprint(arch, callsAWS), func() (agent.Binary, error) {
		for _, path := range paths {
			if p, err := open(path); !errors.Is(err, fs.ErrNotExist) {
				return p, err
			}
		}
		return agent.Binary{}, d.missing(platform, paths[0])
	})
}

// packed ends the names of binaries that were packed with zstd.
const packed = ".zst"

func open(path string) (agent.Binary, error) {
	if strings.HasSuffix(path, packed) {
		return agent.Packed(path)
	}
	return agent.At(path)
}

func (d *Dialer) beside(name string) string {
	return filepath.Join(filepath.Dir(d.options.Program), name)
}

// releases is where the binaries of versions are.
const releases = "https://github.com/org/deploy-action/releases/download/v"

func (d *Dialer) missing(platform, path string) error {
	from := releases + d.options.Version + "/"
	return fmt.Errorf("the server is %s, and %s is not there: put %s%s there (its SHA-256 is in %schecksums.txt), or install it on the server and name it: agent = \"/usr/local/bin/turnout\"",
		platform, path, from, filepath.Base(path), from)
}
