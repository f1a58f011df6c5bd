package main

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/deploy-action/internal/ssh/sshtest"
)

// TestServerScripts runs the command line against a real sshd. The scripts find
// it in their environment.
func TestServerScripts(t *testing.T) {
	s := sshtest.New(t, sshtest.Options{HostKeys: []string{"ed25519", "rsa"}})
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script/ssh",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv(atOnce())
			env.Setenv("TURNOUT_VAR_port", fmt.Sprint(s.Port))
			env.Setenv("TURNOUT_VAR_user", s.User)
			env.Setenv("SSH_PRIVATE_KEY", s.Key)
			env.Setenv("SSH_KNOWN_HOSTS", s.KnownHosts)
			env.Setenv("FINGERPRINT", regexp.QuoteMeta(s.Fingerprint(t, "ed25519")))
			return nil
		},
	})
}
