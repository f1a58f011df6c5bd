package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

const (
	reloadTime = time.Minute      // for the reload command
	proofTime  = 5 * time.Second  // for the proof, unless the reload is slow
	slowTime   = 20 * time.Second // and then, for a proxy that is seen to be at it
)

// reload has the running proxy read its files anew and proves that it did. The
// exit status of a reload proves nothing: both proxies say 0 and keep their old
// configuration when a port is taken.
type reload struct {
	site   Site
	at     machine.At
	good   func(Answer, error) error
	logEnd int64 // size of the error log before the reload

	// turnover asks that the command succeeds and that no worker from before it
	// takes connections any more. On the way back there may be nothing to turn
	// over, and what serves is all that counts.
	turnover bool
}

func (r *reload) do(ctx context.Context) error {
	r.logEnd = r.site.logSize()
	before := r.site.dialect().owners(ctx, r.site)
	exit, refused := r.command(ctx)
	if refused != nil && r.turnover {
		return refused
	}
	limit := max(proofTime, 5*exit.Took) // a reload that takes 2 s to read its files needs time to start, too
	remind := r.reminder(ctx)
	taken := func(answer Answer, err error) error {
		if complaint := r.good(answer, err); complaint != nil {
			remind()
			return complaint
		}
		return r.lingering(before)
	}
	_, err := r.site.prove(ctx, limit, taken)
	for end := time.Now().Add(slowTime); err != nil && r.busy(ctx) && time.Now().Before(end); {
		_, err = r.site.prove(ctx, proofTime, taken)
	}
	if err != nil {
		return errors.Join(refused, err)
	}
	return nil
}

// deaf is how long a HAProxy is left alone that does not serve what it was told to
// read. It is 2.05 s busy with a port that it cannot have, and then goes on as before.
const deaf = 2500 * time.Millisecond

// reminder gives the order once more to a proxy that lost it, as HAProxy does
// with a signal that comes while it starts. It may have started since for somebody
// else, with the former files: that it has new processes tells nothing.
func (r *reload) reminder(ctx context.Context) func() {
	ordered, done := time.Now(), r.site.dialect().reloading == nil
	return func() {
		if done || time.Since(ordered) < deaf || r.busy(ctx) {
			return
		}
		done = true
		_, _ = r.command(ctx) // the proof tells what came of it
	}
}

// busy reports whether the proxy is seen to read its files, or to start.
func (r *reload) busy(ctx context.Context) bool {
	reloading := r.site.dialect().reloading
	return reloading != nil && ctx.Err() == nil && reloading(ctx, r.site)
}

// insist does it twice if it must: HAProxy loses signals that come in quick
// succession, and nginx is deaf while it retries a port.
func (r reload) insist(ctx context.Context) error {
	if err := r.do(ctx); err == nil {
		return nil
	}
	return r.do(ctx)
}

func (r *reload) command(ctx context.Context) (machine.Exit, error) {
	shell, err := r.site.reloadCommand(ctx)
	if err != nil {
		return machine.Exit{}, fmt.Errorf("reload: %w", err)
	}
	exit, err := machine.Run.Do(ctx, quiet(r.at), machine.Command{Shell: shell, Timeout: reloadTime, Leave: true})
	if err != nil {
		return exit, err
	}
	return exit, commandError("reload", exit)
}

// lingering is a complaint while a worker from before the reload still takes
// new connections.
func (r *reload) lingering(before map[int]bool) error {
	if !r.turnover {
		return nil
	}
	d := r.site.dialect()
	for pid := range before {
		if strings.Contains(title(pid), "master") {
			continue
		}
		if !d.leaving(pid) {
			return fmt.Errorf("a worker from before the reload (pid %d) still takes connections", pid)
		}
	}
	return nil
}

// RefusedError is a configuration that the running proxy did not take up.
type RefusedError struct {
	Cause error    // what was asked of the proxy and not fulfilled
	Log   []string // what its error log says of it
	Where string   // where to look when Log is empty
	Back  error    // nil: the former state is back and proven
	First bool     // there was no file before
	Mute  bool     // the proxy did not answer for this site before either
}

// Error tells what was refused, why, and what serves now.
func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the proxy did not take it up: %v", e.Cause)
	for _, line := range e.Log {
		b.WriteString("\n    " + line)
	}
	if len(e.Log) == 0 {
		b.WriteString("\n    " + e.Where)
	}
	if e.Back != nil {
		fmt.Fprintf(&b, "\nputting the former configuration back could not be proven either: %v", e.Back)
		return b.String()
	}
	switch {
	case e.First:
		b.WriteString("\nthe file is taken away again")
	case e.Mute:
		b.WriteString("\nthe former file is back; the proxy did not answer for this site before either: does it run?")
	default:
		b.WriteString("\nthe former configuration is back and serves")
	}
	return b.String()
}

func (e *RefusedError) Unwrap() []error { return []error{e.Cause, e.Back} }

func (r *reload) refused(cause, back error) *RefusedError {
	where := fmt.Sprintf("does %s read %s? If it does, %s", r.site.Main, r.site.Config, r.site.dialect().where)
	return &RefusedError{Cause: cause, Log: r.site.logSince(r.logEnd), Where: where, Back: back}
}

func (s Site) logSize() int64 {
	info, err := os.Stat(string(s.ErrorLog))
	if err != nil {
		return 0
	}
	return info.Size()
}

// grave marks the levels of a log line that explain a refusal, for both proxies.
var grave = regexp.MustCompile(`\[(emerg|alert|crit|error|ALERT)\]`)

// logSince is what the error log got since it was so long: the last grave
// lines, else the last lines.
func (s Site) logSince(offset int64) []string {
	file, err := os.Open(string(s.ErrorLog))
	if err != nil {
		return nil
	}
	defer file.Close()
	data, _ := io.ReadAll(io.NewSectionReader(file, offset, 64<<10)) // what was read is shown
	var all, serious []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		all = append(all, line)
		if grave.MatchString(line) {
			serious = append(serious, line)
		}
	}
	if len(serious) > 0 {
		all = serious
	}
	return all[max(0, len(all)-5):]
}

// both is the first complaint of two.
func both(a, b func(Answer, error) error) func(Answer, error) error {
	return func(answer Answer, err error) error {
		if complaint := a(answer, err); complaint != nil {
			return complaint
		}
		return b(answer, err)
	}
}

// forgets is a complaint while the proxy answers with that ID.
func forgets(id string) func(Answer, error) error {
	return func(answer Answer, err error) error {
		if err == nil && answer.ID == id {
			return fmt.Errorf("the running proxy still serves configuration %s", id)
		}
		return nil
	}
}

// commandError names a command that did not end well.
func commandError(name string, exit machine.Exit) error {
	if err := exit.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
