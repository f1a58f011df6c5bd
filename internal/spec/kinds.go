package spec

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// The kinds of text that attributes take.
var (
	hostnames  = kind[value.Hostname]{"Invalid host name", plain, value.ParseHostname}
	paths      = kind[value.Path]{"Invalid path", plain, value.ParsePath}
	sockets    = kind[value.Path]{"Invalid socket", plain, value.ParseSocket}
	urlPaths   = kind[value.URLPath]{"Invalid URL path", plain, value.ParseURLPath}
	patterns   = kind[string]{"Invalid regular expression", plain, parsePattern}
	containers = kind[value.Container]{"Invalid container", plain, value.ParseContainer}
	relatives  = kind[string]{"Invalid path", plain, parseRelative}
	listeners  = kind[value.ARN]{"Invalid ARN", plain, value.ParseListenerARN}
	rules      = kind[value.ARN]{"Invalid ARN", plain, value.ParseRuleARN}
	groupARNs  = kind[value.ARN]{"Invalid ARN", plain, value.ParseTargetGroupARN}
	instances  = kind[string]{"Invalid instance", plain, value.ParseInstance}
	endpoints  = kind[string]{"Invalid endpoint", plain, value.ParseEndpoint}
)

func parsePattern(s string) (string, error) {
	if _, err := regexp.Compile(s); err != nil {
		return "", fmt.Errorf("%q is not a regular expression (RE2): %w", s, err)
	}
	return s, nil
}

// parseRelative takes a path below a folder that is not known yet: slashes,
// nothing that leaves the folder, nothing that no file system prints.
func parseRelative(s string) (string, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("the path is empty")
	case strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("%q begins with a slash: the path is relative to a folder", s)
	case strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }):
		return "", fmt.Errorf("%q has a control character or a backslash in it", s)
	}
	for _, element := range strings.Split(s, "/") {
		switch element {
		case "..":
			return "", fmt.Errorf("%q leaves its folder by \"..\"", s)
		case "", ".":
			return "", fmt.Errorf("%q has an empty path element: write the path without \".\" and without doubled or trailing slashes", s)
		}
	}
	return s, nil
}

// longest is the greatest duration a spec may name: a year.
const longest = 366 * 24 * time.Hour

// duration reads an attribute such as "30s", "1m30s" or "7d", not below least.
func (b *body) duration(name string, least, fallback time.Duration) time.Duration {
	s, ok := b.text(name, plain)
	if !ok {
		if fallback >= least {
			b.putText(name, durationText(fallback))
		}
		return fallback
	}
	d, err := parseDuration(s)
	switch {
	case err != nil:
		b.errorf(b.valueRange(name), "Invalid duration", "%s", err)
	case d < least || d > longest:
		b.errorf(b.valueRange(name), "Value out of range", "%q takes a duration from %s to 366d, and this is %s.", name, least, s)
	default:
		b.putText(name, durationText(d))
		return d
	}
	return fallback
}

func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit: write \"%ss\" for seconds, or one of ms, m, h, d", s, s)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write \"500ms\", \"30s\", \"1m30s\", \"2h\" or \"7d\"", s)
	}
	return d, nil
}

// tick is the least duration of what must not be zero.
const tick = time.Millisecond

// anyPort is the range of ports.
var anyPort = span{1, math.MaxUint16}

// port reads an attribute as a port; 0 where it is absent or wrong.
func (b *body) port(name string) value.Port { return value.Port(b.integer(name, anyPort, 0)) }

// quantity reads an attribute as a number (2, "2") or a percentage ("25%").
func (b *body) quantity(name string, fallback Quantity) Quantity {
	q := fallback
	if s, ok := b.text(name, plain); ok {
		var err error
		if q, err = parseQuantity(s); err != nil {
			b.errorf(b.valueRange(name), "Invalid quantity", "%s", err)
			return fallback
		}
	}
	switch {
	case q.Percent:
		b.putText(name, fmt.Sprintf("%d%%", q.Number))
	case q.Number > 0:
		b.putNumber(name, q.Number)
	}
	return q
}

func parseQuantity(s string) (Quantity, error) {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > most || percent && n > 100 {
		return Quantity{}, fmt.Errorf("%q is neither a number (2) from 1 on nor a percentage (\"25%%\") from 1%% to 100%%", s)
	}
	return Quantity{Number: n, Percent: percent}, nil
}

// checkFilled reports a text that is blank or has a NUL in it, which no command
// takes.
func (b *body) checkFilled(name, s string) {
	switch {
	case strings.TrimSpace(s) == "":
		b.errorf(b.valueRange(name), "Empty value", "%q is empty: leave the attribute out, or give it a value.", name)
	case strings.ContainsRune(s, 0):
		b.errorf(b.valueRange(name), "Invalid character", "%q has a NUL character in it, which no command or file name takes.", name)
	}
}

// listed is names as a sentence lists them: "a", "b" and "c".
func listed(names []string) string {
	var out strings.Builder
	for i, name := range names {
		switch {
		case i > 0 && i == len(names)-1:
			out.WriteString(" and ")
		case i > 0:
			out.WriteString(", ")
		}
		out.WriteString(strconv.Quote(name))
	}
	return out.String()
}

// refusal is why a text is not of its kind.
func refusal(format, s string) error { return fmt.Errorf(format, s) }
