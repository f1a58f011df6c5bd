package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/machine"
)

const (
	maxBody   = 1 << 20
	maxQuoted = 160 // bytes of an answer that a finding shows
	runGrace  = 500 * time.Millisecond
)

// round is what one pass over all parts found.
type round struct {
	findings []Finding
	latency  time.Duration // of the HTTP answer; 0 when there was none
}

func (r round) passed() bool {
	return !slices.ContainsFunc(r.findings, func(f Finding) bool { return !f.OK })
}

// failures are the findings that failed, in a line.
func (r round) failures() string {
	var all []string
	for _, f := range r.findings {
		if !f.OK {
			all = append(all, f.Check+": "+f.Text)
		}
	}
	return strings.Join(all, "; ")
}

// part is one part of a check. It returns what it found, or an error that says
// why it did not pass.
type part struct {
	name string
	do   func(context.Context) (string, error)
}

// look checks all parts side by side, each within the timeout.
func (c Check) look(ctx context.Context, at machine.At) round {
	var r round
	parts := c.parts(at, &r.latency)
	r.findings = make([]Finding, len(parts))
	var running sync.WaitGroup
	for i, p := range parts {
		running.Go(func() {
			limited, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			text, err := p.do(limited)
			if err != nil {
				text = err.Error()
			}
			r.findings[i] = Finding{Check: p.name, OK: err == nil, Text: text}
		})
	}
	running.Wait()
	return r
}

func (c Check) parts(at machine.At, latency *time.Duration) []part {
	var all []part
	if len(c.Files) > 0 {
		all = append(all, part{"files", c.files})
	}
	if c.TCP {
		all = append(all, part{"tcp", c.tcp})
	}
	if c.HTTP != nil {
		all = append(all, part{"http", func(ctx context.Context) (string, error) { return c.http(ctx, latency) }})
	}
	if c.Run != "" {
		all = append(all, part{"run", func(ctx context.Context) (string, error) { return c.command(ctx, at) }})
	}
	return all
}

// files looks for every file. A link may lead out of the release: that is how
// shared files are put into it.
func (c Check) files(context.Context) (string, error) {
	var missing []error
	for _, name := range c.Files {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			missing = append(missing, fmt.Errorf("%s is outside of the release", name))
		} else if _, err := os.Stat(filepath.Join(c.Dir, filepath.FromSlash(name))); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, fmt.Errorf("%s is missing", name))
		} else if err != nil {
			missing = append(missing, err)
		}
	}
	if len(missing) > 0 {
		return "", errors.New(strings.ReplaceAll(errors.Join(missing...).Error(), "\n", ", "))
	}
	return fmt.Sprintf("%d there", len(c.Files)), nil
}

func (c Check) tcp(ctx context.Context) (string, error) {
	took, err := ask.Connect(ctx, c.Address)
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.Address, err)
	}
	return fmt.Sprintf("connected in %s", short(took)), nil
}

func (c Check) http(ctx context.Context, latency *time.Duration) (string, error) {
	answer, err := ask.HTTP(ctx, ask.Question{Address: c.Address, Host: c.HTTP.Host, Path: c.HTTP.Path, TLS: c.HTTP.TLS, Limit: maxBody})
	if err != nil {
		return "", fmt.Errorf("GET %s of %s: %w", c.HTTP.Path, c.Address, err)
	}
	*latency = answer.Took
	if err := c.HTTP.judge(answer); err != nil {
		return "", fmt.Errorf("GET %s of %s: %w", c.HTTP.Path, c.Address, err)
	}
	return fmt.Sprintf("GET %s: status %d in %s", c.HTTP.Path, answer.Status, short(answer.Took)), nil
}

// judge says what is wrong with an answer.
func (h HTTP) judge(answer ask.Answer) error {
	if !h.expects(answer.Status) {
		return fmt.Errorf("status %d, expected %s%s", answer.Status, h.expected(), h.quote(answer))
	}
	pattern, err := regexp.Compile(h.Body)
	if err != nil {
		return fmt.Errorf("body pattern: %w", err)
	}
	if !pattern.Match(answer.Body) {
		return fmt.Errorf("status %d, but the body does not match %s%s", answer.Status, h.Body, h.quote(answer))
	}
	if h.MaxLatency > 0 && answer.Took > h.MaxLatency {
		return fmt.Errorf("status %d, but it took %s, more than %s", answer.Status, short(answer.Took), h.MaxLatency)
	}
	return nil
}

func (h HTTP) expects(status int) bool {
	if len(h.Status) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(h.Status, status)
}

func (h HTTP) expected() string {
	if len(h.Status) == 0 {
		return "2xx"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(h.Status), " ", " or "), "[]")
}

// quote shows what an answer says, for a person.
func (h HTTP) quote(answer ask.Answer) string {
	if location := answer.Header.Get("Location"); location != "" && answer.Status/100 == http.StatusMultipleChoices/100 {
		return fmt.Sprintf(": redirects to %q", cut(location))
	}
	if len(answer.Body) == 0 {
		return ", without a body"
	}
	return fmt.Sprintf(": %q", cut(string(answer.Body)))
}

// command runs the user's own check.
func (c Check) command(ctx context.Context, at machine.At) (string, error) {
	command := machine.Command{Shell: c.Run, Dir: c.Dir, Env: c.Env, Grace: runGrace}
	began := time.Now()
	exit, err := machine.Run.Do(ctx, machine.At{Session: at.Session, Out: io.Discard}, command)
	if err != nil && ctx.Err() != nil {
		exit.TimedOut, exit.Took, err = true, ask.Allowed(ctx, began), nil
	}
	if err != nil {
		return "", err
	}
	if err := exit.Err(); err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	return fmt.Sprintf("%s: exit status 0 in %s", command, short(exit.Took)), nil
}

func cut(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxQuoted {
		s = s[:maxQuoted] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// short writes a duration to a tenth of a millisecond.
func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
