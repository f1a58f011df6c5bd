package main

import (
	"errors"
	"flag"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{nil, {"frob"}, {"agent", "more"}, {"agent", "-lease", "0s"}, {"agent", "-lease", "soon"}, {"agent", "-x"}, {"version", "more"}} {
		if err := run(t.Context(), args); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{{"-h"}, {"agent", "-h"}} {
		if err := run(t.Context(), args); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := run(t.Context(), []string{"version"}); err != nil {
		t.Error(err)
	}
}
