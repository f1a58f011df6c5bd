// Engine measures what running stages costs, beside make, ninja and go-task, and
// beside a program that does nothing but start the same commands; and what a stage
// that puts out much costs, beside cat.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/bench/beside"
)

// options are what the command line says.
type options struct {
	sizes, shapes string
	commands      string
	rounds, mib   int
	turnout, task string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "floor" {
		os.Exit(goFloor(os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.sizes, "sizes", "1,10,100,1000,5000", "numbers of stages")
	flag.StringVar(&o.shapes, "shapes", "layers,chain,fan", "graphs of stages")
	flag.StringVar(&o.commands, "commands", "true,/usr/bin/true", "what each stage runs: a word of the shell, or a program")
	flag.IntVar(&o.rounds, "rounds", 5, "runs of each")
	flag.IntVar(&o.mib, "output", 1024, "MiB that the talkative stage puts out; 0: none")
	flag.StringVar(&o.turnout, "turnout", "bin/turnout", "the program to measure")
	flag.StringVar(&o.task, "task", "bin/task", "go-task")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "turnout-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bench, err := beside.New(ctx, dir)
	if err == nil {
		o.turnout, err = filepath.Abs(o.turnout)
	}
	if err == nil {
		o.task, err = filepath.Abs(o.task)
	}
	if err != nil {
		return err
	}
	for _, size := range strings.Split(o.sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-sizes: %w", err)
		}
		for _, shape := range strings.Split(o.shapes, ",") {
			for i, command := range strings.Split(o.commands, ",") {
				if err := o.stages(ctx, bench, shape, n, command, filepath.Join(dir, shape+size, strconv.Itoa(i))); err != nil {
					return err
				}
			}
		}
	}
	if o.mib == 0 {
		return nil
	}
	return o.output(ctx, bench, filepath.Join(dir, "output"))
}

// stages measures n stages of one shape that all run command.
func (o options) stages(ctx context.Context, bench *beside.Bench, shape string, n int, command, dir string) error {
	needs, known := shapes[shape]
	if !known {
		return fmt.Errorf("-shapes: %q is none", shape)
	}
	if err := write(dir, newGraph(n, needs), command); err != nil {
		return err
	}
	atOnce := "2"
	if shape == "chain" {
		atOnce = "1"
	}
	measured, err := bench.Run(ctx, o.rounds, o.contenders(bench, n, atOnce, command, dir))
	if err != nil {
		return err
	}
	return beside.Table(os.Stdout, fmt.Sprintf("%d stages that run %s, %s, %s at once", n, command, shape, atOnce), measured)
}

// contenders all run command n times, with their output to /dev/null but for what
// they keep themselves: turnout has its console, event log, stage logs and reports,
// and a timeout for each stage.
func (o options) contenders(bench *beside.Bench, n int, atOnce, command, dir string) []beside.Contender {
	floor := func(args ...string) []string {
		return append([]string{bench.Program("floor"), strconv.Itoa(n), atOnce}, args...)
	}
	own, _ := os.Executable() // an empty name fails with its own message
	all := []beside.Contender{
		{Name: "floor: sh -c", Args: floor("/bin/sh", "-c", command)},
		{Name: "floor: bash -c", Args: floor("/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", command)},
		{Name: "floor: the program", Args: floor("/usr/bin/true")},
		{Name: "floor in Go: sh -c", Args: []string{own, "floor", strconv.Itoa(n), atOnce, "/bin/sh", "-c", command}},
		{Name: "turnout", Args: []string{o.turnout, "run"}},
		{Name: "ninja", Args: []string{"ninja", "-j2", "--quiet", "all"}, Before: func() error { return os.RemoveAll(filepath.Join(dir, ".ninja_log")) }},
		{Name: "make", Args: []string{"make", "-s", "-j2", "all"}},
		{Name: "make, no shell", Args: []string{"make", "-s", "-j2", "-f", "Makefile.plain", "all"}},
		{Name: "go-task", Args: []string{o.task, "-C", "2"}},
		{Name: "turnout, bash", Args: []string{o.turnout, "run", "-f", "bash.hcl"}},
		{Name: "make, bash", Args: []string{"make", "-s", "-j2", "SHELL=/bin/bash", ".SHELLFLAGS=--noprofile --norc -e -o pipefail -c", "all"}},
	}
	for i, c := range all {
		all[i].Dir, all[i].Each, all[i].Floor = dir, n, all[0].Name
		all[i].Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"} // of any other machine
		if strings.Contains(c.Name, "bash") {
			all[i].Floor = all[1].Name
		}
		if c.Args[0] == o.turnout {
			all[i].Before = func() error { return os.RemoveAll(filepath.Join(dir, ".turnout")) }
		}
	}
	return slices.Clip(all)
}
