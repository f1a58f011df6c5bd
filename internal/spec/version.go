package spec

import (
	"strings"

	version "github.com/hashicorp/go-version"
)

// checkVersion holds required_version against the version that runs. A build
// without a version number satisfies every constraint.
func (b *body) checkVersion(constraint string) {
	at := b.valueRange("required_version")
	want, err := version.NewConstraint(constraint)
	if err != nil {
		b.errorf(at, "Invalid version constraint", `%q is not a version constraint: write ">= 0.1" or ">= 0.1, < 2".`, constraint)
		return
	}
	have, err := version.NewVersion(strings.TrimPrefix(b.o.Version, "v"))
	if err != nil {
		return
	}
	if !want.Check(have.Core()) {
		b.errorf(at, "Unsupported turnout version", "This spec asks for turnout %s, and this is turnout %s. Install a version that fits, or change required_version.", constraint, have)
	}
}
