// Demo shows a blue/green deployment on this machine: a shop behind a real nginx
// or HAProxy goes from v1 to v2 under live traffic, then a v3 that is not healthy
// is put back. Everything lives in one temporary folder, on free ports of the
// loopback, and nothing is left behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/org/deploy-action/internal/loadtest"
)

func main() {
	kind := flag.String("proxy", "nginx", "what stands in front: nginx or haproxy")
	turnout := flag.String("turnout", "bin/turnout", "the turnout binary")
	reports := flag.String("reports", "dist/demo", "where the reports go")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := demo(ctx, *kind, *turnout, *reports)
	var left *leftoverError
	switch {
	case ctx.Err() != nil && !errors.As(err, &left):
		fmt.Fprintln(os.Stderr, "demo: interrupted; nothing is left running")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo: error:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, kind, turnout, reports string) (err error) {
	s, err := newStage(kind, turnout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	acts := []func(context.Context) error{s.startProxy, s.writeRepository, s.first, s.second, s.third}
	for _, act := range acts {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return s.keepReports(reports)
}

// first deploys v1 where nothing serves yet.
func (s *stage) first(ctx context.Context) error {
	title("v1: the first deployment")
	if _, err := s.deploy(ctx, "v1"); err != nil {
		return err
	}
	return s.serves("v1")
}

// second replaces v1 by v2 while clients ask, post, upload and stream.
func (s *stage) second(ctx context.Context) error {
	title("v2: under live traffic")
	load := loadtest.Start(ctx, s.listen, host, loadtest.Mix()...)
	done, err := s.deploy(ctx, "v2")
	record := load.Stop()
	if err != nil {
		return err
	}
	if err := errors.Join(s.serves("v2"), s.show(record, done)); err != nil {
		return err
	}
	shift := record.Shift(done.committed, done.slot)
	fmt.Printf("\n%d requests, %d failed; first answer of v2 %s after the switch began, longest time between two answers to fresh connections %s\n",
		len(record), len(record.Failed()), round(shift.FirstNew), round(record.Of("fresh connection").LongestGap()))
	return nil
}

// third offers a release that is not healthy, and expects it to be refused.
func (s *stage) third(ctx context.Context) error {
	title("v3: it is not healthy")
	load := loadtest.Start(ctx, s.listen, host, loadtest.KeepAlive(4, 10*time.Millisecond), loadtest.Fresh(2, 10*time.Millisecond))
	done, err := s.deploy(ctx, "v3")
	record := load.Stop()
	if ctx.Err() != nil {
		return err
	}
	if done.code != 1 {
		return fmt.Errorf("turnout ended with %d, not 1: %w", done.code, err)
	}
	if err := errors.Join(s.serves("v2"), noneFailed(record)); err != nil {
		return err
	}
	if !strings.Contains(done.reason, "not healthy") {
		return fmt.Errorf("v3 was refused for another reason than its health: %q", done.reason)
	}
	fmt.Printf("\nv3 was refused and put back; v2 answered all of %d requests meanwhile\n", len(record))
	return nil
}

// show prints what the clients saw of a switch.
func (s *stage) show(record loadtest.Record, done deployment) error {
	fmt.Println("\nWhat the clients saw (none of them retries):")
	if err := record.Write(os.Stdout, done.committed, done.slot); err != nil {
		return err
	}
	return noneFailed(record)
}

func noneFailed(record loadtest.Record) error {
	if failed := record.Failed(); len(failed) > 0 {
		return fmt.Errorf("%d of %d requests failed, the first (%s): %s", len(failed), len(record), failed[0].Kind, failed[0].Error)
	}
	return nil
}

// keepReports copies the reports out of the folder that goes away.
func (s *stage) keepReports(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fmt.Println("\nThe reports, as the job summary would show them:")
	for _, done := range s.deployments {
		text, err := os.ReadFile(filepath.Join(done.run, "report.md"))
		if err != nil {
			return err
		}
		path := filepath.Join(dir, done.version+".md")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		fmt.Println("  " + path)
	}
	return nil
}

func title(text string) { fmt.Printf("\n── %s ──\n\n", text) }

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
