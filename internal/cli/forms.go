package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/report"
)

// form is a form of the report of a run.
type form struct {
	name string // of -format
	file string // in the folder of the run
	text func([]event.Event, report.Logs) ([]byte, error)
}

// forms are all of them, the one that is shown unless another is asked for first.
func forms() []form {
	return []form{
		{"md", "report.md", func(events []event.Event, _ report.Logs) ([]byte, error) {
			return []byte(report.Markdown(events, report.Options{})), nil
		}},
		{"json", "report.json", func(events []event.Event, _ report.Logs) ([]byte, error) { return report.JSON(events) }},
		{"html", "report.html", report.HTML},
		{"junit", "report.xml", func(events []event.Event, _ report.Logs) ([]byte, error) { return report.JUnit(events) }},
	}
}

// writeReports writes the report of a run in every form into its folder, all side
// by side. One that can't be written keeps none of the others back.
func writeReports(dir string, events []event.Event) error {
	all := forms()
	errs := make([]error, len(all))
	logs := logsIn(dir, events)
	var written sync.WaitGroup
	for i, f := range all {
		written.Go(func() {
			text, err := f.text(events, logs)
			if err == nil {
				err = machine.WriteFile(filepath.Join(dir, f.file), text, 0o600)
			}
			errs[i] = err
		})
	}
	written.Wait()
	return errors.Join(errs...)
}

const (
	logLines = 200       // that a report shows of a log
	logEnd   = 512 << 10 // bytes in which they are looked for
)

// logsIn reads the ends of the logs that stages left in dir.
func logsIn(dir string, events []event.Event) report.Logs {
	names := make(map[string]string)
	for _, e := range events {
		if e.Kind == event.StageFinished && e.Result != nil && e.Result.Log != "" {
			names[e.Stage] = filepath.Base(e.Result.Log)
		}
	}
	return func(stage string) []string {
		name, told := names[stage]
		if !told {
			name = stage + ".log"
		}
		if filepath.Base(name) != name { // an event log may come from anywhere
			return nil
		}
		lines, err := lastLines(filepath.Join(dir, name))
		if err != nil {
			return []string{fmt.Sprintf("(the log can't be read: %v)", err)}
		}
		return lines
	}
}

// lastLines are the last lines of the file at path; none where there is no file.
func lastLines(path string) ([]string, error) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	start := max(info.Size()-logEnd, 0)
	end, err := io.ReadAll(io.NewSectionReader(file, start, logEnd))
	if err != nil {
		return nil, err
	}
	lines := bytes.Split(bytes.TrimSuffix(end, []byte("\n")), []byte("\n"))
	if start > 0 && len(lines) > 1 {
		lines = lines[1:] // begun before what was read
	}
	lines = lines[max(len(lines)-logLines, 0):]
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = string(line)
	}
	return texts, nil
}
