package ssh

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"github.com/org/deploy-action/internal/spec"
)

// hostIdentity is how the host at the other end proves who it is.
type hostIdentity struct {
	server      string // for messages
	address     string // host:port, as known_hosts has it
	fingerprint string // when set, the one key that counts
	known       *hostKeys
}

// identity is what a host is known by, less the keys.
func identity(o spec.SSHOptions, about *about, l *login) hostIdentity {
	i := hostIdentity{server: l.name, fingerprint: o.Fingerprint, address: strings.ToLower(l.address)}
	if alias := about.first("HostKeyAlias"); alias != "" {
		i.address = net.JoinHostPort(alias, fmt.Sprint(defaultPort)) // ssh looks it up without a port
	}
	return i
}

// hostKeys are the keys that are known: those of the spec's known_hosts, else of
// the user's and the system's files.
func (d *Dialer) hostKeys(o spec.SSHOptions, about *about, user string, port int) (*hostKeys, error) {
	if text := o.KnownHosts; strings.ContainsAny(strings.TrimSpace(text), " \t\n") {
		return d.known.get(text, func() (*hostKeys, error) { return readHostKeys([]source{{"known_hosts", text}}) })
	}
	files, err := d.knownHostsFiles(o, about, user, port)
	if err != nil {
		return nil, err
	}
	return d.known.get(strings.Join(files, "\x00"), func() (*hostKeys, error) { return readHostKeyFiles(files, o.KnownHosts != "") })
}

// knownHostsFiles are the files that ssh would look into; the spec may name one
// instead.
func (d *Dialer) knownHostsFiles(o spec.SSHOptions, about *about, user string, port int) ([]string, error) {
	if o.KnownHosts != "" {
		path, err := expand(strings.TrimSpace(o.KnownHosts), d.options.Home, nil)
		return []string{path}, err
	}
	if d.options.Home == "" {
		return nil, nil
	}
	own, err := about.paths("UserKnownHostsFile", user, port)
	if err != nil {
		return nil, err
	}
	global, err := about.paths("GlobalKnownHostsFile", user, port)
	if err != nil {
		return nil, err
	}
	if len(own) == 0 {
		own = []string{filepath.Join(d.options.Home, ".ssh", "known_hosts"), filepath.Join(d.options.Home, ".ssh", "known_hosts2")}
	}
	if len(global) == 0 {
		global = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	return slices.Concat(own, global), nil
}

// source is a known_hosts text and where it is from.
type source struct{ name, text string }

func readHostKeyFiles(paths []string, must bool) (*hostKeys, error) {
	var all []source
	for _, path := range paths {
		text, err := os.ReadFile(path)
		switch {
		case err == nil:
			all = append(all, source{path, string(text)})
		case must || !errors.Is(err, os.ErrNotExist):
			return nil, fmt.Errorf("known_hosts: %w", err)
		}
	}
	return readHostKeys(all)
}

// hostKeys are the host keys of known_hosts texts.
type hostKeys struct {
	db     *knownhosts.HostKeyDB
	places []string // of the lines, from 1 on: "known_hosts:3"
}

// readHostKeys reads texts. As in ssh, a line that can't be read counts for
// nothing: it may hold a kind of key that came after us, or has gone.
func readHostKeys(sources []source) (*hostKeys, error) {
	k := &hostKeys{places: []string{""}}
	var all strings.Builder
	for _, s := range sources {
		number := 0
		for line := range strings.Lines(s.text) {
			number++
			line = strings.TrimSpace(line)
			if _, _, _, _, _, err := ssh.ParseKnownHosts([]byte(line + "\n")); err != nil {
				line = ""
			}
			fmt.Fprintln(&all, line)
			k.places = append(k.places, fmt.Sprintf("%s:%d", s.name, number))
		}
	}
	var err error
	k.db, err = parseHostKeys(all.String())
	return k, err
}

// parseHostKeys has the library read a text, which it does from files only.
func parseHostKeys(text string) (*knownhosts.HostKeyDB, error) {
	file, err := os.CreateTemp("", "turnout-known-hosts-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return knownhosts.NewDB(file.Name())
}

// place is where a known key stands.
func (k *hostKeys) place(key xknownhosts.KnownKey) string {
	if key.Line < len(k.places) {
		return k.places[key.Line]
	}
	return "known_hosts"
}

// The algorithms of host keys, by preference. SHA-1 is left out: ssh-rsa is the
// key's type, rsa-sha2 what it signs with (RFC 8332).
var (
	plainAlgorithms = [][]string{
		{ssh.KeyAlgoED25519},
		{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
		{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
	}
	certAlgorithms = []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
	}
)

// offers are the algorithms to ask the host to prove itself by. A server picks
// the first that it has: were it asked for another type than the known key's, a
// known host would seem to have changed. With a fingerprint the type is not
// known, and each is tried in turn.
func (i hostIdentity) offers() [][]string {
	if i.fingerprint != "" {
		return plainAlgorithms
	}
	var known, certified []string
	for _, key := range i.known.db.HostKeys(i.address) {
		switch {
		case key.Cert: // the certified key may be of another type than its authority's
			certified = certAlgorithms
		case key.Type() == ssh.KeyAlgoRSA:
			known = append(known, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			known = append(known, key.Type())
		}
	}
	if len(known)+len(certified) == 0 {
		return [][]string{slices.Concat(plainAlgorithms...)}
	}
	return [][]string{slices.Concat(certified, known)}
}

// check is the ssh.HostKeyCallback. Its errors are *Error.
func (i hostIdentity) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if i.fingerprint != "" {
		return i.checkFingerprint(key)
	}
	err := i.known.db.HostKeyCallback()(i.address, remote, key)
	var unknown *xknownhosts.KeyError
	var revoked *xknownhosts.RevokedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		err = fmt.Errorf("REVOKED: %s says that %s must not be trusted any more. Nothing was sent", i.known.place(revoked.Revoked), describe(key))
	case errors.As(err, &unknown) && len(unknown.Want) > 0:
		err = i.changed(key, unknown.Want)
	case errors.As(err, &unknown):
		err = i.unknown(key)
	}
	return &Error{i.server, HostKey, err}
}

func (i hostIdentity) checkFingerprint(key ssh.PublicKey) error {
	if certificate, ok := key.(*ssh.Certificate); ok {
		key = certificate.Key
	}
	if ssh.FingerprintSHA256(key) == i.fingerprint {
		return nil
	}
	return &Error{i.server, HostKey, fmt.Errorf("NOT the one pinned: fingerprint says %s, the server shows %s. %s", i.fingerprint, describe(key), danger)}
}

const danger = "Either it was installed anew, or someone is between here and the server. Nothing was sent"

func (i hostIdentity) unknown(key ssh.PublicKey) error {
	return fmt.Errorf("not in known_hosts. The server shows %s; compare it with what the server itself says (ssh-keygen -lf %s) and add the line\n"+
		"    %s\nor have all of its keys listed: turnout servers trust %s",
		describe(key), keyFile(key), KnownHostsLine(i.address, key), i.server)
}

func (i hostIdentity) changed(key ssh.PublicKey, known []xknownhosts.KnownKey) error {
	var before []string
	for _, k := range known {
		before = append(before, fmt.Sprintf("%s (%s)", describe(k.Key), i.known.place(k)))
	}
	return fmt.Errorf("CHANGED: the server shows %s, known are %s. %s. If the new key is right, replace the old line", describe(key), strings.Join(before, ", "), danger)
}

// missing is the failure where the host has no key of a type that is known.
func (i hostIdentity) missing(has []string) error {
	var known []string
	for _, key := range i.known.db.HostKeys(i.address) {
		known = append(known, describe(key.PublicKey))
	}
	return &Error{i.server, HostKey, fmt.Errorf("CHANGED: known are %s, and the server has keys of other types only (%s). %s. If that is right, list its keys: turnout servers trust %s",
		strings.Join(known, ", "), strings.Join(has, ", "), danger, i.server)}
}

// describe is a key for people: "ssh-ed25519 SHA256:…".
func describe(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }

// keyFile is where OpenSSH keeps the public half of such a key on the server.
func keyFile(key ssh.PublicKey) string {
	kind := "rsa"
	switch {
	case strings.Contains(key.Type(), "ed25519"):
		kind = "ed25519"
	case strings.Contains(key.Type(), "ecdsa"):
		kind = "ecdsa"
	}
	return "/etc/ssh/ssh_host_" + kind + "_key.pub"
}

// KnownHostsLine is the line of known_hosts for a host's key. address is
// host:port.
func KnownHostsLine(address string, key ssh.PublicKey) string {
	return fmt.Sprintf("%s %s %s", knownhosts.Normalize(address), key.Type(), base64.StdEncoding.EncodeToString(key.Marshal()))
}
