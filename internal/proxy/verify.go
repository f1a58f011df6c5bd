package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Verify shows a configuration to the proxy's own check inside the real tree of
// configuration files, as if Put had installed it, and looks for what that
// check does not see. Nothing is installed; what the check
// wants to open beside the configuration, such as a HAProxy map, is made where it
// is not there yet.
//
// Where the kernel grants it, the check runs in a mount namespace of its own in
// which the new file lies over the old one, and nobody else sees it. Elsewhere,
// as in most containers, the file is swapped in and back.
var Verify = machine.Op[Install, Verified]{Name: "proxy.verify", Do: verify}

// checkTime bounds the proxy's own check: nginx takes 2 s for 10,000 sites.
const checkTime = time.Minute

func verify(ctx context.Context, at machine.At, in Install) (Verified, error) {
	began := time.Now()
	check := in.verify
	if in.Site.Balancer != nil {
		check = in.verifyBalanced
	}
	verified, err := check(ctx, at)
	if err != nil {
		return Verified{}, fmt.Errorf("verify %s: %w", in.Site.Place(), err)
	}
	verified.Took = time.Since(began)
	return verified, nil
}

func (in Install) verify(ctx context.Context, at machine.At) (Verified, error) {
	s := in.Site
	if err := s.validate(); err != nil {
		return Verified{}, err
	}
	live, former, err := s.onDisk()
	if err != nil {
		return Verified{}, err
	}
	if err := errors.Join(s.replaceable(), s.enterable(ctx), s.listenable(ctx, live), s.reachable(ctx)); err != nil {
		return Verified{}, err
	}
	if s.Canary != nil { // nginx's check opens the log of requests
		if err := s.openDirs(); err != nil {
			return Verified{}, err
		}
	}
	if now, err := s.dialect().read(s); err == nil && now.slot == "" {
		if err := s.place(all(in.Active)); err != nil {
			return Verified{}, err
		}
	}
	t := trial{site: s, at: at, command: s.checkCommand(ctx), file: in.file(live), former: former, existed: live.Exists}
	way, output, err := t.run(ctx)
	if err != nil {
		return Verified{}, t.blame(ctx, output, err)
	}
	for _, problem := range s.dialect().problems(s, output) {
		err = errors.Join(err, errors.New(problem))
	}
	return Verified{Way: way}, err
}

// file is what Put writes over live.
func (in Install) file(live Live) []byte {
	return Format(Header{
		Schema: Schema, Env: in.Site.Env, Generation: live.generation() + 1,
		ID: in.Rendered.ID, Sum: Sum(in.Rendered.Body), Releases: in.Releases, Pools: in.Site.Pools,
		Canary: in.Site.Canary,
	}, in.Rendered.Body)
}

// trial is a check of a file that is not there yet.
type trial struct {
	site    Site
	at      machine.At
	command string // the check
	file    []byte
	former  []byte
	existed bool
}

// run returns how the check was done and what it printed. A check that fails in
// a user namespace, which an ordinary user needs to get a mount namespace, may
// fail for that reason (sudo does): then the check in place decides. One that
// runs in a container would see nothing of our namespace, and find the former
// file good.
func (t trial) run(ctx context.Context) (Way, string, error) {
	if t.site.Container != "" {
		output, err := t.inPlace(ctx)
		return InPlace, output, err
	}
	output, granted, err := t.inNamespace(ctx)
	if granted && (err == nil || os.Geteuid() == 0) {
		return InNamespace, output, err
	}
	if ctx.Err() != nil {
		return "", "", context.Cause(ctx)
	}
	output, err = t.inPlace(ctx)
	return InPlace, output, err
}

// Environment variables by which the namespace script gets its values: none of
// them is ever part of a command line.
const (
	scriptMount = `
set -e
if [ -e "$TURNOUT_CONFIG" ]; then
    mount --bind "$TURNOUT_PENDING/$(basename "$TURNOUT_CONFIG")" "$TURNOUT_CONFIG"
else
    mount -t overlay overlay -o "lowerdir=$TURNOUT_PENDING:$TURNOUT_DIR" "$TURNOUT_DIR"
fi
`
	scriptRoot = scriptMount + `
: > "$TURNOUT_READY"
exec /bin/sh -c "$TURNOUT_CHECK"`

	// The check is to see the user it runs as, not the root of the namespace.
	scriptUser = scriptMount + `
become="unshare --user --map-user=$TURNOUT_UID --map-group=$TURNOUT_GID --"
$become true
: > "$TURNOUT_READY"
exec $become /bin/sh -c "$TURNOUT_CHECK"`
)

// inNamespace reports whether the check could be run in a mount namespace, and
// what came of it.
func (t trial) inNamespace(ctx context.Context) (output string, granted bool, err error) {
	scratch, err := os.MkdirTemp("", "turnout-check-")
	if err != nil {
		return "", false, err
	}
	defer os.RemoveAll(scratch)
	c, err := t.prepare(scratch)
	if err != nil {
		return "", false, err
	}
	output, err = t.check(ctx, c)
	_, notReady := os.Stat(filepath.Join(scratch, "ready"))
	return output, notReady == nil, err
}

// prepare lays out scratch and returns the check in a namespace.
func (t trial) prepare(scratch string) (machine.Command, error) {
	config := string(t.site.Config)
	if real, err := filepath.EvalSymlinks(config); err == nil {
		config = real
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(config))
	if err != nil {
		return machine.Command{}, err
	}
	pending := filepath.Join(scratch, "pending")
	if err := os.Mkdir(pending, 0o755); err != nil {
		return machine.Command{}, err
	}
	if err := os.WriteFile(filepath.Join(pending, filepath.Base(config)), t.file, 0o644); err != nil {
		return machine.Command{}, err
	}
	args := []string{"unshare", "--mount", "--", "/bin/sh", "-c", scriptRoot}
	if os.Geteuid() != 0 {
		args = []string{"unshare", "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-c", scriptUser}
	}
	return machine.Command{Args: args, Env: map[string]string{
		"TURNOUT_CONFIG": config, "TURNOUT_DIR": dir, "TURNOUT_PENDING": pending,
		"TURNOUT_READY": filepath.Join(scratch, "ready"), "TURNOUT_CHECK": t.command,
		"TURNOUT_UID": strconv.Itoa(os.Geteuid()), "TURNOUT_GID": strconv.Itoa(os.Getegid()),
	}}, nil
}

// inPlace swaps the file in for the time of the check. The way back does not
// depend on the context.
func (t trial) inPlace(ctx context.Context) (output string, err error) {
	if err := t.site.write(t.file); err != nil {
		return "", err
	}
	defer func() {
		if back := t.site.putFile(t.former, t.existed); back != nil {
			err = errors.Join(err, fmt.Errorf("put the former file back: %w", back))
		}
	}()
	return t.check(ctx, machine.Command{Shell: t.command})
}

// check runs c and returns what it printed; the error shows its last lines.
func (t trial) check(ctx context.Context, c machine.Command) (string, error) {
	var output bytes.Buffer
	c.Timeout = checkTime
	exit, err := machine.Run.Do(ctx, machine.At{Session: t.at.Session, Out: &output}, c)
	if err != nil {
		return "", err
	}
	return output.String(), commandError("check", exit)
}

// write makes file the content of the configuration.
func (s Site) write(file []byte) error {
	return machine.WriteFile(string(s.Config), file, machine.KeepMode)
}

// putFile makes former the content of the configuration, or removes it where
// there was none.
func (s Site) putFile(former []byte, existed bool) error {
	if !existed {
		return machine.RemoveFile(string(s.Config))
	}
	return s.write(former)
}
