// Package version is which turnout this is.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Number is that of the source tree: MAJOR.MINOR.PATCH. A release build sets all
// three (.goreleaser.yaml); otherwise the Go toolchain notes commit and date, where it
// built from a repository.
var (
	Number = "0.1.0"
	commit string // revision in hexadecimal
	date   string // of the commit, RFC 3339
)

// Line says it all: "turnout 0.1.0 (1a2b3c4d5e6f of 2026-11-25, linux/amd64)".
func Line() string {
	return fmt.Sprintf("turnout %s (%s, %s/%s)", Number, source(), runtime.GOOS, runtime.GOARCH)
}

// source says what the binary was built from: "1a2b3c4d5e6f of 2026-11-25".
func source() string {
	revision, at := commit, date
	if info, ok := debug.ReadBuildInfo(); ok && revision == "" {
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				revision = setting.Value
			case "vcs.time":
				at = setting.Value
			}
		}
	}
	if revision == "" {
		return "unknown commit"
	}
	day, _, _ := strings.Cut(at, "T")
	return revision[:min(len(revision), 12)] + " of " + day
}
