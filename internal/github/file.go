package github

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// SummaryLimit is how long a summary should be. The runner drops one of more
// than 1 MiB as a whole (FileCommandManager, AttachmentSizeLimit) and may
// lengthen it while it masks.
const SummaryLimit = 900 << 10

// maxSummary is what the runner takes.
const maxSummary = 1 << 20

// Output sets an output of the step. Where the runner gives no file for
// outputs, nothing is written.
func (a *Actions) Output(name, value string) error {
	return appendPair(a.getenv("GITHUB_OUTPUT"), name, a.masker.String(value))
}

// SaveState keeps a value for the action's post step, which reads it as
// STATE_name. Secrets do not belong there: the runner logs it when debugging.
func (a *Actions) SaveState(name, value string) error {
	return appendPair(a.getenv("GITHUB_STATE"), name, value)
}

// Summary adds Markdown to the job summary. More than 1 MiB is refused, as the
// runner would show nothing of it.
func (a *Actions) Summary(markdown string) (err error) {
	name := a.getenv("GITHUB_STEP_SUMMARY")
	if name == "" {
		return nil
	}
	if len(markdown) >= maxSummary {
		return fmt.Errorf("job summary: %d bytes are more than the %d that GitHub shows", len(markdown), maxSummary)
	}
	defer func() { err = errors.Join(err, fileError(recover())) }()
	a.api.AddStepSummary(a.masker.String(markdown))
	return nil
}

// fileError is the error that the library panicked with for a file that it
// can't write. Any other panic goes on.
func fileError(panicked any) error {
	if panicked == nil {
		return nil
	}
	var place *fs.PathError
	if err, ok := panicked.(error); ok && errors.As(err, &place) {
		return fmt.Errorf("job summary: %w", err)
	}
	panic(panicked)
}

// appendPair adds name=value to a file of the runner in its heredoc form. The
// library's own delimiter is fixed, so that a value could end it and set what
// it likes; this one can't be guessed.
func appendPair(file, name, value string) error {
	if file == "" {
		return nil
	}
	if name == "" || strings.ContainsAny(name, "=\r\n") || strings.Contains(name, "<<") {
		panic(fmt.Sprintf("github: %q can't be the name of an output", name))
	}
	end := "ghadelimiter_" + rand.Text()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("output %s: %w", name, err)
	}
	_, err = fmt.Fprintf(f, "%s<<%s\n%s\n%s\n", name, end, value, end)
	return errors.Join(err, f.Close())
}
