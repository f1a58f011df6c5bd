package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
)

const reportHelp = `Usage: turnout report [options] [FILE|RUN]

Writes the report of a run once more, from its event log. FILE is an event log,
RUN a run's id or its folder. Without either: the newest run in .turnout/runs.
A page in HTML shows the logs that lie beside the event log. A run that was
killed has a report too.

Options:
  -format FORM     md (default), json, html or junit; where it is not given,
                   the end of -out says it: .md, .json, .html or .xml
  -out FILE        write there, not to the standard output
  -chdir DIR       change to DIR first; relative paths begin there
  -no-color        no colour, also NO_COLOR=1

Example:
  turnout report -out report.html
` + exitCodes

func (a *app) reportCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "report", Usage: "write the report of a run again", CustomHelpTemplate: reportHelp,
		Flags: []cli.Flag{&cli.StringFlag{Name: "format"}, &cli.StringFlag{Name: "out", TakesFile: true}},
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 1); err != nil {
				return err
			}
			f, err := chooseForm(c.String("format"), c.String("out"))
			if err != nil {
				return err
			}
			path, err := eventLog(c.Args().First())
			if err != nil {
				return err
			}
			return a.report(f, path, c.String("out"))
		},
	})
}

// chooseForm finds the form that is asked for, by name or by the end of a file's
// name.
func chooseForm(name, out string) (form, error) {
	all := forms()
	if name == "" {
		for _, f := range all {
			if out != "" && filepath.Ext(out) == filepath.Ext(f.file) {
				return f, nil
			}
		}
		return all[0], nil
	}
	for _, f := range all {
		if f.name == name {
			return f, nil
		}
	}
	return form{}, &usageError{fmt.Errorf("-format %s: write md, json, html or junit", name)}
}

// eventLog finds the event log that an argument names.
func eventLog(arg string) (string, error) {
	ids := recordedRuns(runsDir)
	switch {
	case arg == "" && len(ids) == 0:
		return "", &usageError{fmt.Errorf("report: there is no run in %s; name an event log", runsDir)}
	case arg == "":
		return filepath.Join(runsDir, ids[len(ids)-1], event.LogName), nil
	}
	for _, path := range []string{arg, filepath.Join(runsDir, arg)} {
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case info.IsDir():
			return filepath.Join(path, event.LogName), nil
		default:
			return path, nil
		}
	}
	err := fmt.Errorf("report: %s is neither an event log nor a run in %s", arg, runsDir)
	if len(ids) > 0 {
		err = fmt.Errorf("%w; the newest there is %s", err, ids[len(ids)-1])
	}
	return "", &usageError{err}
}

// recordedRuns are the ids of the runs in dir that have an event log, the oldest
// first.
func recordedRuns(dir string) []string {
	logs, _ := filepath.Glob(filepath.Join(dir, "*", event.LogName)) // only a bad pattern is an error
	slices.Sort(logs)
	ids := make([]string, len(logs))
	for i, path := range logs {
		ids[i] = filepath.Base(filepath.Dir(path))
	}
	return ids
}

// report writes the report of the run whose event log is at path.
func (a *app) report(f form, path, out string) error {
	events, err := a.readEvents(path)
	if err != nil {
		return &usageError{err}
	}
	text, err := f.text(events, logsIn(filepath.Dir(path), events))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if out == "" {
		_, err := a.stdout.Write(text)
		return err
	}
	if err := machine.WriteFile(out, text, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, out)
	return err
}

// readEvents reads an event log. A torn last line, as a killed run leaves it, is
// told and left out.
func (a *app) readEvents(path string) ([]event.Event, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	events, err := event.Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		fmt.Fprintf(a.stderr, "turnout: warning: %s: the last line is torn and left out: the run ended while it was written\n", path)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("%s: holds no event", path)
	}
	return events, nil
}
