// Upload measures what bringing a release to a server costs, fresh and with 1 % of
// its files changed, beside rsync, tar and scp, through one real sshd: time, and
// bytes on the wire.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"

	"github.com/org/deploy-action/internal/bench/beside"
)

// options are what the command line says.
type options struct {
	files, rounds int
	turnout       string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "ship" {
		if err := ship(ctx, os.Args[2], os.Args[3], os.Args[4:]); err != nil {
			fmt.Fprintln(os.Stderr, "upload:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.files, "files", 2000, "files of the release, some 30 KB each")
	flag.IntVar(&o.rounds, "rounds", 7, "runs of each")
	flag.StringVar(&o.turnout, "turnout", "bin/turnout", "the agent")
	flag.Parse()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "upload:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) (err error) {
	base := "/dev/shm" // the disk is not what is measured
	if _, err := os.Stat(base); err != nil {
		base = os.TempDir()
	}
	dir, err := os.MkdirTemp(base, "turnout-upload-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bench, err := beside.New(ctx, dir)
	if err == nil {
		o.turnout, err = filepath.Abs(o.turnout)
	}
	if err != nil {
		return err
	}
	server, err := startSSHD(ctx, dir)
	if err != nil {
		return err
	}
	defer server.stop()
	if err := makeReleases(dir, o.files); err != nil {
		return err
	}
	for _, c := range []struct {
		title string
		all   []beside.Contender
	}{
		{"A fresh upload", o.fresh(dir, server)},
		{"1 % changed", o.second(dir, server, "v2")},
		{"1 % changed, every file with a new time", o.second(dir, server, "v2ci")},
	} {
		if err := o.measure(ctx, bench, server, c.title, c.all); err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
	}
	return nil
}

// measure measures time, then bytes in a run of their own through a counter.
func (o options) measure(ctx context.Context, bench *beside.Bench, server *sshd, title string, all []beside.Contender) error {
	for i := range all {
		all[i].Env, all[i].Floor = append(all[i].Env, "BENCH_PORT="+server.port), all[0].Name
	}
	measured, err := bench.Run(ctx, o.rounds, all)
	if err != nil {
		return err
	}
	if err := beside.Table(os.Stdout, title, measured); err != nil {
		return err
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tKB on the wire\t")
	for i := range all {
		all[i].Env[len(all[i].Env)-1] = "BENCH_PORT=" + server.countedPort
		before := server.bytes.Load()
		if _, err := bench.Run(ctx, 1, all[i:i+1]); err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%.1f\t\n", all[i].Name, float64(server.bytes.Load()-before)/1e3)
	}
	return t.Flush()
}
