// Turnout deploys without downtime to one's own servers.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/org/deploy-action/internal/cli"
	"github.com/org/deploy-action/internal/pid1"
)

func main() {
	if pid1.Is() {
		os.Exit(pid1.Run(os.Args, os.Environ()))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(cli.Main(ctx, cli.Env{
		Args: os.Args, Environ: os.Environ(), System: runtime.GOOS,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
