// Upload measures what bringing a release to servers costs, fresh and with 1 % of
// its files changed, beside rsync, tar and scp, through real sshds: time, and bytes
// on the wire. It needs root, for a user of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/org/deploy-action/internal/bench/beside"
	"github.com/org/deploy-action/internal/bench/sshd"
)

// options are what the command line says.
type options struct {
	files, rounds     int
	hosts             string
	turnout, droneSCP string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "ship" {
		if err := ship(ctx, os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
			fmt.Fprintln(os.Stderr, "upload:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.files, "files", 2000, "files of the release, some 30 KB each")
	flag.IntVar(&o.rounds, "rounds", 7, "runs of each; of a peer that took more than 5 s in its first, one")
	flag.StringVar(&o.hosts, "hosts", "1,10", "numbers of servers")
	flag.StringVar(&o.turnout, "turnout", "bin/turnout", "the agent")
	flag.StringVar(&o.droneSCP, "drone-scp", "", "drone-scp, the program within appleboy/scp-action; left out where it is not named")
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
	numbers, most, err := o.numbers()
	if err != nil {
		return err
	}
	s := &site{dir: dir, hosts: most}
	if s.Site, err = sshd.NewSite(ctx, dir); err != nil {
		return err
	}
	defer s.stop()
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := makeReleases(dir, o.files); err != nil {
		return err
	}
	for _, hosts := range numbers {
		if err := o.measureAll(ctx, bench, s, hosts); err != nil {
			return err
		}
	}
	return nil
}

// numbers are those of servers, and the greatest of them.
func (o options) numbers() (all []int, most int, err error) {
	for _, text := range strings.Split(o.hosts, ",") {
		hosts, err := strconv.Atoi(text)
		if err != nil || hosts < 1 || hosts > 200 {
			return nil, 0, fmt.Errorf("-hosts: %q is no number from 1 to 200", text)
		}
		all, most = append(all, hosts), max(most, hosts)
	}
	return all, most, nil
}

func (o options) measureAll(ctx context.Context, bench *beside.Bench, s *site, hosts int) error {
	for _, c := range []struct {
		title string
		all   []beside.Contender
	}{
		{"A fresh upload", o.fresh(s, hosts)},
		{"1 % changed", o.second(s, hosts, "v2")},
		{"1 % changed, every file with a new time", o.second(s, hosts, "v2ci")},
	} {
		title := fmt.Sprintf("%s, to %d servers", c.title, hosts)
		if err := o.measure(ctx, bench, s, title, hosts, c.all); err != nil {
			return fmt.Errorf("%s: %w", title, err)
		}
	}
	return nil
}

// measure measures time, then bytes in a run of their own through a counter.
func (o options) measure(ctx context.Context, bench *beside.Bench, s *site, title string, hosts int, all []beside.Contender) error {
	for i := range all {
		all[i].Env, all[i].Floor = append(all[i].Env, "PORT="+port), all[0].Name
		all[i].Others, all[i].Peer = func() float64 { return s.cpu(hosts) }, i > 0 && all[i].Name != "turnout"
	}
	measured, err := bench.RunAfterOne(ctx, o.rounds, all)
	if err != nil {
		return err
	}
	if err := beside.Table(os.Stdout, title, measured); err != nil {
		return err
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tKB on the wire\t")
	for i := range all {
		all[i].Env[len(all[i].Env)-1] = "PORT=" + countedPort
		before := s.wire.Load()
		if _, err := bench.Run(ctx, 1, all[i:i+1]); err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%.1f\t\n", all[i].Name, float64(s.wire.Load()-before)/1e3)
	}
	return t.Flush()
}
