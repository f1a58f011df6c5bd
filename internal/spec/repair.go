package spec

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// headerLine is a line that opens a block and does not close it, however badly
// it is written.
var headerLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*([A-Za-z_]\w*)\s*(?:(=)\s*["'“”]|["'“”]|)([\w-]*)[^{}$%=]*\{[^}]*$`)
})

// bareHeader is a header whose brace stands on the next line.
var bareHeader = regexp.MustCompile(`^\s*[A-Za-z_]\w*(?:\s+"[^"]*")*\s*$`)

// assignmentLine is an attribute without its equals sign, or with something in
// its place.
var assignmentLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\s*)([A-Za-z_]\w*)(?: (")|(\s*)(==|:=|=\s*=|:)(\s*\S))[^{}]*$`)
})

// repair gives the line numbered at its most likely meaning, blank where there
// is none, and returns a sentence that says how to write it. A repaired line
// keeps its columns where it keeps its value.
func repair(lines []string, at int) (hint string) {
	line := lines[at-1]
	if parts := headerLine().FindStringSubmatch(line); parts != nil {
		head := parts[1]
		if parts[3] != "" {
			head += fmt.Sprintf(" %q", parts[3])
		}
		if parts[2] != "" {
			hint = fmt.Sprintf(" A block has no equals sign: write %s { … }.", head)
		}
		lines[at-1] = head + " {\n"
		return hint
	}
	if bareHeader.MatchString(line) && joinBrace(lines, at) {
		return " Put the brace on the line of the header."
	}
	if parts := assignmentLine().FindStringSubmatchIndex(line); parts != nil {
		lines[at-1], hint = assign(line, parts)
		return hint
	}
	lines[at-1] = "\n"
	if trimmed := strings.TrimSpace(line); len(trimmed) > 1 && strings.Trim(trimmed, "}") == "" {
		lines[at-1] = "}\n"
	}
	return ""
}

// assign puts an equals sign where assignmentLine found none.
func assign(line string, at []int) (string, string) {
	name := line[at[4]:at[5]]
	hint := fmt.Sprintf(" An attribute is written \"%s = …\".", name)
	if at[6] >= 0 {
		return line[:at[5]] + "=" + line[at[6]:], hint
	}
	blank := strings.Repeat(" ", at[11]-at[10]-1)
	return line[:at[10]] + "=" + blank + line[at[11]:], hint
}

// joinBrace moves a brace that stands alone below the header at line at up to it;
// false where there is none.
func joinBrace(lines []string, at int) bool {
	next := at
	for next < len(lines) && strings.TrimSpace(lines[next]) == "" {
		next++
	}
	if next == len(lines) || strings.TrimSpace(lines[next]) != "{" {
		return false
	}
	lines[at-1], lines[next] = strings.TrimRight(lines[at-1], " \t\r\n")+" {\n", "\n"
	return true
}

// unclosed finds by indentation the first block that is not closed before the
// next one of its level begins, and the blank line before that one. Lines count
// from 1; 0 is none.
func unclosed(lines []string) (open, end int) {
	type level struct{ line, indent int }
	var stack []level
	blank := 0
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		switch {
		case trimmed == "":
			blank = i + 1
		case trimmed == "}" && len(stack) > 0:
			if top := stack[len(stack)-1]; indent < top.indent {
				return top.line, 0
			}
			stack = stack[:len(stack)-1]
		case headerLine().MatchString(line):
			if len(stack) > 0 && indent <= stack[len(stack)-1].indent {
				top := stack[len(stack)-1]
				if blank < top.line {
					blank = 0
				}
				return top.line, blank
			}
			stack = append(stack, level{i + 1, indent})
		}
	}
	return 0, 0
}
