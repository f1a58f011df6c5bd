package ssh

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/org/deploy-action/internal/agent"
)

// The scripts below are given to the login shell as exec sh -c '…', which sh,
// bash, dash, busybox, zsh, csh and fish understand alike as long as there is no
// single quote, backslash, line break or exclamation mark in it. What a login
// shell prints before is told from what the script says by a mark, chosen anew
// each time. It is put together by the script: a shell that only repeats the
// script does not say it.

const markPrefix = "turnout-"

// says is a script's word to us, after a mark that begins with $m.
func says(word string) string { return `echo "` + markPrefix + `$m ` + word + `"` }

// home and fallback are the folders of uploaded agents. They must be the user's
// own, and the second, where everybody may make one, no link.
const (
	home     = `${XDG_CACHE_HOME:-$HOME/.cache}/turnout`
	fallback = `/var/tmp/turnout-$(id -u)`
)

// platformScript sets p to what uname -sm says. Newer kernels (Linux 6.1) say it
// in a file, which takes no process.
const platformScript = `{ read p </proc/sys/kernel/arch && p="Linux $p"; } 2>/dev/null || p=$(uname -sm); `

// startScript starts the agent that is there, or says what the server is.
func startScript(platform, build, sudo string) string {
	try := `a=$d/$n; if [ -x "$a" ] && [ -O "$d" ]; then ` + says("start $a") + "; " + agent.OneCPU + " exec " + sudo + `"$a" agent; fi; `
	return platformScript + fmt.Sprintf(`if [ "$p" = "%s" ]; then n=%s%s; d=%s; %sd=%s; if [ -h "$d" ]; then d=; fi; %sfi; %s`,
		platform, agent.Prefix, build, home, try, fallback, try, says("need $p"))
}

// installedScript starts the agent that the spec names.
func installedScript(path, sudo string) string {
	return fmt.Sprintf(`a=%s; if [ -x "$a" ]; then %s; %s exec %s"$a" agent; fi; %s`, path, says("start $a"), agent.OneCPU, sudo, says("missing $a"))
}

// uploadScript takes an agent from standard input into a folder, and has it check
// and install itself.
func uploadScript(dir string, c agent.Content) string {
	return fmt.Sprintf(`umask 077; d=%s; t=$d/%s$m; mkdir -p "$d" && [ -O "$d" ] || { echo "$d is not a folder of this user" >&2; exit 1; }; `+
		`if [ -h "$d" ]; then echo "$d is a link" >&2; exit 1; fi; chmod 700 "$d" || exit 1; `+
		`if cat >"$t" && [ "$(wc -c <"$t")" -eq %d ] && chmod 700 "$t" && "$t" agent -install %s; then %s; else rm -f "$t"; exit 1; fi`,
		dir, agent.UploadPrefix, c.Size, c.Hash, says("done"))
}

// asLogin is a script for whatever shell the user logs in to.
func asLogin(mark, script string) string { return "exec sh -c 'm=" + mark + "; " + script + "'" }

// process is a script that runs on a server.
type process struct {
	session *ssh.Session
	mark    string // what the script's word follows
	in      io.WriteCloser
	out     *bufio.Reader
	errors  tail
	noise   strings.Builder // what came before the mark
}

// maxNoise bounds what a login shell may print before the mark, in bytes.
const maxNoise = 64 << 10

// run starts a script.
func (l *link) run(script string) (*process, error) {
	session, err := l.client.NewSession()
	if err != nil {
		return nil, err
	}
	mark := strings.ToLower(rand.Text()[:12])
	p := &process{session: session, mark: markPrefix + mark + " "}
	session.Stderr = &p.errors
	in, errIn := session.StdinPipe()
	out, errOut := session.StdoutPipe()
	p.in, p.out = in, bufio.NewReaderSize(out, 64<<10)
	if err := errors.Join(errIn, errOut, session.Start(asLogin(mark, script))); err != nil {
		return nil, errors.Join(err, ignoreEOF(session.Close()))
	}
	return p, nil
}

// says reads the script's word: what follows the mark. Ending ctx ends the
// process.
func (p *process) says(ctx context.Context) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = p.session.Close() })
	defer stop()
	for p.noise.Len() < maxNoise {
		line, err := p.out.ReadString('\n')
		if _, word, ok := strings.Cut(line, p.mark); ok {
			return strings.TrimSuffix(word, "\n"), nil
		}
		p.noise.WriteString(line)
		if err != nil {
			return "", errors.Join(context.Cause(ctx), p.silent())
		}
	}
	return "", errors.Join(fmt.Errorf("the login shell prints without end: %q …", head(p.noise.String())), ignoreEOF(p.session.Close()))
}

// silent is the failure of a script that ended without a word.
func (p *process) silent() error {
	err := p.session.Wait()
	said := strings.TrimSpace(p.noise.String() + "\n" + p.errors.String())
	if said == "" {
		said = "nothing"
	}
	return fmt.Errorf("no shell ran turnout's script (%v); the server said: %s", outcome(err), head(said))
}

// end waits for the end of the process and returns what it said last on standard
// error.
func (p *process) end() (said string, err error) {
	err = p.session.Wait()
	return strings.TrimSpace(p.errors.String()), err
}

// outcome is how a process ended, in words.
func outcome(err error) string {
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return "exit status 0"
	case errors.As(err, &exit) && exit.Signal() != "":
		return "signal " + exit.Signal()
	case errors.As(err, &exit):
		return fmt.Sprintf("exit status %d", exit.ExitStatus())
	}
	return "cut off"
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// head is the beginning of a text, on one line.
func head(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > 300 {
		return text[:300] + " …"
	}
	return text
}

// upload puts the agent on the server: into the user's cache or, where that can't
// be, into a folder of the user's below /var/tmp.
func (l *link) upload(ctx context.Context, p agent.Binary) error {
	var errs []string
	for _, dir := range []string{home, fallback} {
		err := l.uploadTo(ctx, dir, p)
		if err == nil || ctx.Err() != nil || l.Lost() {
			return err
		}
		errs = append(errs, err.Error())
	}
	return fmt.Errorf("the agent can be put neither into ~/.cache/turnout (%s) nor into /var/tmp (%s): put turnout on the server and name it: agent = \"/usr/local/bin/turnout\"", errs[0], errs[1])
}

func (l *link) uploadTo(ctx context.Context, dir string, p agent.Binary) error {
	whole, err := p.Content()
	if err != nil {
		return err
	}
	file, err := p.Open()
	if err != nil {
		return err
	}
	defer file.Close()
	process, err := l.run(uploadScript(dir, whole))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = process.session.Close() })
	defer stop()
	_, sent := io.Copy(process.in, file)
	_ = process.in.Close()
	word, err := process.says(ctx)
	if err == nil && word == "done" {
		_, err = process.end()
		return err
	}
	if said := strings.TrimSpace(process.errors.String()); said != "" {
		return errors.New(head(said))
	}
	return errors.Join(err, sent)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailSize is what a tail keeps, in bytes.
const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
