// Turnout-agent performs operations on a server, as "turnout agent" does, and is
// nothing else: it lacks what only the other end needs, and starts the sooner.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/org/deploy-action/internal/agent"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/operations"
	"github.com/org/deploy-action/internal/version"
)

const usage = `Usage: turnout-agent agent [-lease TIME]
       turnout-agent version

Performs operations on this machine for a turnout at the other end of standard
input and output, which has put it here and starts it. See "turnout agent -h".
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "turnout-agent: error: %v\n", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "turnout-agent: error: %v\n", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("see turnout-agent -h")

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("turnout-agent", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	lease := flags.Duration("lease", machine.DefaultLease, "")
	install := flags.String("install", "", "")
	command := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%v: %w", err, errUsage)
	case flags.NArg() > 0:
		return fmt.Errorf("%q is too much: %w", flags.Arg(0), errUsage)
	case *lease <= 0:
		return fmt.Errorf("-lease %s: must be more than nothing: %w", *lease, errUsage)
	case command == "version":
		_, err := fmt.Println(version.Line())
		return err
	case command != "agent":
		return fmt.Errorf("%q is not a command: %w", command, errUsage)
	}
	return work(ctx, *install, *lease)
}

// work is done by the agent that this binary is. Where hash is given, it was just sent
// here, and takes its place.
func work(ctx context.Context, hash string, lease time.Duration) error {
	self, err := os.Executable()
	switch {
	case err != nil:
		return err
	case hash != "":
		return agent.Install(self, hash)
	}
	return operations.Agent(self, lease, machine.NewSession()).Serve(ctx, os.Stdin, os.Stdout)
}
