package pipeline

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// maxOutputs is how much a stage may put out for others, in bytes, as much as
// GitHub allows a step.
const maxOutputs = 1 << 20

// outputName is what the spec can refer to as stage.build.outputs.<name>.
var outputName = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_-]*\z`)

// takeOutputs reads the file that a stage left its outputs in and removes it. A
// stage that left none has no file.
func takeOutputs(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("TURNOUT_OUTPUT: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxOutputs+1))
	if err = errors.Join(err, os.Remove(path)); err != nil {
		return nil, fmt.Errorf("TURNOUT_OUTPUT: %w", err)
	}
	if len(text) > maxOutputs {
		return nil, fmt.Errorf("TURNOUT_OUTPUT: more than %d bytes: put a file's path out instead of its content", maxOutputs)
	}
	outputs, err := parseOutputs(string(text))
	if err != nil {
		return nil, fmt.Errorf("TURNOUT_OUTPUT: %w", err)
	}
	return outputs, nil
}

// parseOutputs reads the format of GITHUB_OUTPUT: lines of name=value, or
// name<<DELIMITER, lines of the value, and DELIMITER on a line of its own. Of
// several values of a name the last holds.
func parseOutputs(text string) (map[string]string, error) {
	outputs := make(map[string]string)
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	for at := 0; at < len(lines); at++ {
		if lines[at] == "" {
			continue
		}
		number := at + 1
		name, value, delimited := cutOutput(lines[at])
		if !outputName.MatchString(name) {
			return nil, fmt.Errorf("line %d: %.60q is neither name=value nor name<<DELIMITER; a name is of letters, digits, _ and -", number, lines[at])
		}
		if delimited {
			var found bool
			if value, at, found = heredoc(lines, at+1, value); !found {
				return nil, fmt.Errorf("line %d: the end of the value of %s is missing", number, name)
			}
		}
		outputs[name] = value
	}
	return outputs, nil
}

// cutOutput parts a line at what comes first, "=" or "<<".
func cutOutput(line string) (name, rest string, delimited bool) {
	name, rest, _ = strings.Cut(line, "=")
	before, delimiter, heredoc := strings.Cut(line, "<<")
	switch {
	case heredoc && delimiter != "" && len(before) < len(name):
		return before, delimiter, true
	case name == line:
		return "", "", false
	}
	return name, rest, false
}

// heredoc is the text of lines from begin up to the delimiter, and its line.
func heredoc(lines []string, begin int, delimiter string) (text string, end int, found bool) {
	for end = begin; end < len(lines); end++ {
		if lines[end] == delimiter {
			return strings.Join(lines[begin:end], "\n"), end, true
		}
	}
	return "", end, false
}
