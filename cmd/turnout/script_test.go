package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/deploy-action/internal/cli"
)

// TestMain makes the test binary the programs that scripts call, and the agent
// that it uploads itself as, under another name.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		main()
	}
	if err := os.Setenv(atOnce()); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"turnout": main, "turnout-on-macos": onMacOS, "shop": shop})
}

// atOnce is a variable with which commands end at once: with the race detector each
// would sleep for a second.
func atOnce() (name, text string) { return "GORACE", "atexit_sleep_ms=0" }

// onMacOS is turnout as it is where a machine says to be a Mac.
func onMacOS() {
	os.Exit(cli.Main(context.Background(), cli.Env{
		Args: os.Args, Environ: os.Environ(), System: "darwin",
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}

// TestScripts runs the command line as people type it, one promise a file.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv("USER", "alice")
			env.Setenv(atOnce())
			return nil
		},
	})
}
