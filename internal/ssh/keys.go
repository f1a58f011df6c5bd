package ssh

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/org/deploy-action/internal/spec"
)

// signers are the keys to log in with and where each is from: those of the spec,
// else those of ~/.ssh/config, the key agent and ~/.ssh, as ssh has them.
func (d *Dialer) signers(o spec.SSHOptions, about *about, user string, port int) (all []ssh.Signer, from []string, err error) {
	if o.PrivateKey != "" {
		signer, err := d.key("private_key", o.PrivateKey, o.Passphrase)
		if err != nil {
			return nil, nil, err
		}
		return certified(signer, "private_key", o.Certificate)
	}
	if o.IdentityFile != "" {
		path, err := expand(o.IdentityFile, d.options.Home, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("identity_file: %w", err)
		}
		return d.keyFile(path, o.Passphrase, o.Certificate)
	}
	return d.userKeys(o, about, user, port)
}

// userKeys are the keys of the person at this machine.
func (d *Dialer) userKeys(o spec.SSHOptions, about *about, user string, port int) (all []ssh.Signer, from []string, err error) {
	files, err := about.paths("IdentityFile", user, port)
	if err != nil {
		return nil, nil, err
	}
	missing := []string{"private_key and identity_file are not set"}
	configured := len(files) > 0
	if !configured && d.options.Home != "" {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} { // the order of ssh(1)
			files = append(files, filepath.Join(d.options.Home, ".ssh", name))
		}
	}
	only := strings.EqualFold(about.first("IdentitiesOnly"), "yes")
	if d.options.AuthSock == "" {
		missing = append(missing, "no key agent (SSH_AUTH_SOCK is not set)")
	} else if !only {
		held, err := d.agent.signers()
		if err != nil {
			missing = append(missing, err.Error())
		}
		for _, signer := range held {
			all, from = append(all, signer), append(from, "the key agent's "+describe(signer.PublicKey()))
		}
	}
	for _, path := range files {
		signers, names, err := d.keyFile(path, o.Passphrase, "")
		if err != nil {
			missing = append(missing, err.Error())
			continue
		}
		all, from = append(all, signers...), append(from, names...)
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("no key to log in with: %s", strings.Join(missing, "; "))
	}
	return all, from, nil
}

// keyFile is the key of a file, with the certificate beside it. One that is
// encrypted may be in the key agent already.
func (d *Dialer) keyFile(path, passphrase, certificate string) ([]ssh.Signer, []string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	signer, err := d.key(path, string(text), passphrase)
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) {
		if held := d.agent.holds(encrypted.PublicKey, path+".pub"); held != nil {
			signer, err = held, nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if certificate == "" {
		beside, err := os.ReadFile(path + "-cert.pub")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
		certificate = string(beside)
	}
	return certified(signer, path, certificate)
}

// certified is a key with its certificate, when there is one, and bare: a server
// may trust either.
func certified(signer ssh.Signer, name, certificate string) ([]ssh.Signer, []string, error) {
	if certificate == "" {
		return []ssh.Signer{signer}, []string{name + " (" + describe(signer.PublicKey()) + ")"}, nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(certificate))
	if err != nil {
		return nil, nil, fmt.Errorf("certificate of %s: %w", name, err)
	}
	proof, ok := public.(*ssh.Certificate)
	if !ok {
		return nil, nil, fmt.Errorf("certificate of %s: this is a public key, and no certificate (a *-cert.pub of ssh-keygen -s)", name)
	}
	with, err := ssh.NewCertSigner(proof, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate of %s: it is for another key, %s", name, describe(proof.Key))
	}
	return []ssh.Signer{with, signer}, []string{name + " with its certificate", name + " (" + describe(signer.PublicKey()) + ")"}, nil
}

// key parses a private key, once for all servers that have it: a passphrase is
// made to take long.
func (d *Dialer) key(name, text, passphrase string) (ssh.Signer, error) {
	return d.keys.get(text+"\x00"+passphrase, func() (ssh.Signer, error) {
		signer, err := ssh.ParsePrivateKey([]byte(text))
		var encrypted *ssh.PassphraseMissingError
		if errors.As(err, &encrypted) && passphrase != "" {
			signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(text), []byte(passphrase))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s%w", name, why(text, passphrase, err), hidden{err})
		}
		return signer, nil
	})
}

// why says what is wrong with a private key, for those who pasted it somewhere.
func why(text, passphrase string, err error) string {
	var encrypted *ssh.PassphraseMissingError
	trimmed := strings.TrimSpace(text)
	switch {
	case errors.As(err, &encrypted):
		return "the key is encrypted: set passphrase"
	case errors.Is(err, x509.IncorrectPasswordError):
		return "the passphrase is wrong"
	case strings.HasPrefix(trimmed, "PuTTY-"):
		return "this is PuTTY's format: convert it with puttygen KEY -O private-openssh -o NEW"
	case strings.HasPrefix(trimmed, "ssh-"), strings.HasPrefix(trimmed, "ecdsa-"):
		return "this is the public half: the private one begins with -----BEGIN"
	case strings.HasPrefix(trimmed, "-----BEGIN") && !strings.Contains(trimmed, "\n"):
		return "the key has lost its line breaks: paste it as the file has it"
	case strings.Contains(trimmed, "BEGIN ENCRYPTED PRIVATE KEY"):
		return "an encrypted PKCS #8 key can't be read: convert it with ssh-keygen -p -f KEY"
	case !strings.HasPrefix(trimmed, "-----BEGIN"):
		return "this is no private key: one begins with -----BEGIN"
	}
	return strings.TrimPrefix(err.Error(), "ssh: ")
}

// keyAgent is the ssh-agent(1) of this machine's user, asked once.
type keyAgent struct {
	socket string

	mu   sync.Mutex
	conn net.Conn
	held []ssh.Signer
}

func (a *keyAgent) signers() ([]ssh.Signer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn != nil || a.socket == "" {
		return a.held, nil
	}
	conn, err := net.Dial("unix", a.socket)
	if err != nil {
		return nil, fmt.Errorf("key agent (SSH_AUTH_SOCK): %w", err)
	}
	held, err := agent.NewClient(conn).Signers()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("key agent (SSH_AUTH_SOCK): %w", err), conn.Close())
	}
	a.conn, a.held = conn, held
	return held, nil
}

// holds returns the agent's signer of a key, which a file may have instead.
func (a *keyAgent) holds(key ssh.PublicKey, file string) ssh.Signer {
	if key == nil {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil
		}
		if key, _, _, _, err = ssh.ParseAuthorizedKey(text); err != nil {
			return nil
		}
	}
	held, _ := a.signers() // what keeps it from answering is told where it is asked for all
	i := slices.IndexFunc(held, func(s ssh.Signer) bool { return bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) })
	if i < 0 {
		return nil
	}
	return held[i]
}

func (a *keyAgent) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		return nil
	}
	return a.conn.Close()
}
