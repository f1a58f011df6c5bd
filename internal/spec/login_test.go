package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFillLogins(t *testing.T) {
	given := Login{PrivateKey: "k", Passphrase: "p", KnownHosts: "h"}
	for name, test := range map[string]struct{ of, want SSHOptions }{
		"nothing said":  {SSHOptions{User: "u"}, SSHOptions{User: "u", PrivateKey: "k", Passphrase: "p", KnownHosts: "h"}},
		"all said":      {SSHOptions{PrivateKey: "x", Passphrase: "y", KnownHosts: "z"}, SSHOptions{PrivateKey: "x", Passphrase: "y", KnownHosts: "z"}},
		"a key's file":  {SSHOptions{IdentityFile: "f"}, SSHOptions{IdentityFile: "f", Passphrase: "p", KnownHosts: "h"}},
		"a fingerprint": {SSHOptions{Fingerprint: "SHA256:f"}, SSHOptions{Fingerprint: "SHA256:f", PrivateKey: "k", Passphrase: "p"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Spec{Servers: []*Server{{Connection: SSH, SSH: test.of}, {Connection: Local}}}
			s.FillLogins(given)
			if diff := cmp.Diff(test.want, s.Servers[0].SSH); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if s.Servers[1].SSH != (SSHOptions{}) {
				t.Error("this machine got a login")
			}
		})
	}
}
