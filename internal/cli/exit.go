package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/preview"
	"github.com/org/deploy-action/internal/rollout"
)

// Exit codes. docs/cli.md and every command's help list the same.
const (
	exitDone      = 0
	exitFailed    = 1   // failed; everything that could be put back was
	exitUsage     = 2   // bad spec or usage; nothing was touched
	exitStranded  = 3   // failed, and something could not be put back
	exitCancelled = 130 // cancelled by a signal, and put back
)

// exitCodes is the part of the help texts that lists them.
const exitCodes = `
Exit codes:
  0    done
  1    failed; everything that could be put back was
  2    bad spec or usage; nothing was touched
  3    failed, and something could not be put back: the first line says what
  130  cancelled, and put back
`

// resultError is a run that did not succeed. Listeners have told it already.
type resultError struct{ result event.Result }

func (e *resultError) Error() string { return e.result.Reason }

// exit tells err, unless it was told already, and turns it into an exit code.
func (a *app) exit(ctx context.Context, err error) int {
	var result *resultError
	var usage *usageError
	var library cli.ExitCoder // the command line library's own word for bad usage
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &result):
		return exitCode(result.result.Outcome)
	case errors.Is(err, errReported):
		return exitUsage
	}
	fmt.Fprintf(a.stderr, "turnout: error: %s\n", a.masker.String(err.Error()))
	switch {
	case errors.As(err, &usage), errors.As(err, &library):
		fmt.Fprintln(a.stderr, "turnout: hint: turnout -h lists the commands, turnout COMMAND -h explains one")
		return exitUsage
	case rollout.Stranded(err), preview.Stranded(err):
		return exitStranded
	case ctx.Err() != nil:
		return exitCancelled
	}
	return exitFailed
}

func exitCode(outcome event.Outcome) int {
	switch outcome {
	case event.Succeeded, event.Skipped:
		return exitDone
	case event.Cancelled:
		return exitCancelled
	case event.Stranded:
		return exitStranded
	}
	return exitFailed
}
