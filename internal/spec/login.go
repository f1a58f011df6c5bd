package spec

import "cmp"

// Login is what servers are logged in to with where the spec leaves it open: it
// comes from where the spec is run, and is no part of it.
type Login struct {
	PrivateKey string // secret
	Passphrase string // secret
	KnownHosts string // text, or the path of such a file
}

// FillLogins gives l to every server of which the spec does not say by which key,
// or by which host keys.
func (s *Spec) FillLogins(l Login) {
	for _, server := range s.Servers {
		if server.Connection == SSH {
			server.SSH.fill(l)
		}
	}
}

func (o *SSHOptions) fill(l Login) {
	if o.IdentityFile == "" {
		o.PrivateKey = cmp.Or(o.PrivateKey, l.PrivateKey)
	}
	if o.Fingerprint == "" {
		o.KnownHosts = cmp.Or(o.KnownHosts, l.KnownHosts)
	}
	o.Passphrase = cmp.Or(o.Passphrase, l.Passphrase)
}
