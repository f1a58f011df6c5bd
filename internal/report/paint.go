package report

import (
	"regexp"
	"strconv"
	"strings"
)

// part is a piece of a log in one colour: "" is the colour of the page, else
// the names of classes.
type part struct{ Class, Text string }

// sgr is a control sequence that selects colours; what is between its ends are
// numbers.
var sgr = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// clean makes lines fit to be shown: what a carriage return would have written
// over is gone, and so is every control sequence but colours.
func clean(lines []string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		all[i] = clip(line[strings.LastIndexByte(line, '\r')+1:], logLine)
	}
	return all
}

// paint splits a text where its colour changes.
func paint(text string) []part {
	var all []part
	var now style
	add := func(text string) {
		if text = printable(text); text != "" {
			all = append(all, part{now.class(), text})
		}
	}
	for {
		at := sgr.FindStringSubmatchIndex(text)
		if at == nil {
			add(text)
			return all
		}
		add(text[:at[0]])
		now.apply(text[at[2]:at[3]])
		text = text[at[1]:]
	}
}

// style is what colours are in force.
type style struct {
	bold, dim bool
	colour    int // 1 to 6 as terminals number them; 0 is none
}

// apply takes up the codes of one sequence.
func (s *style) apply(codes string) {
	numbers := strings.Split(codes, ";")
	for i := 0; i < len(numbers); i++ {
		n, _ := strconv.Atoi(numbers[i]) // nothing means 0
		switch {
		case n == 0:
			*s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 22:
			s.bold, s.dim = false, false
		case n == 38 || n == 48:
			return // colours by number: what follows are their parameters
		case n == 39:
			s.colour = 0
		case n >= 30 && n <= 37:
			s.colour = (n - 30) % 7 // white is the colour of the page
		case n >= 90 && n <= 97:
			s.colour = (n - 90) % 7
		}
	}
}

func (s *style) class() string {
	var names []string
	if s.colour > 0 {
		names = append(names, "c"+strconv.Itoa(s.colour))
	}
	if s.bold {
		names = append(names, "b")
	}
	if s.dim {
		names = append(names, "d")
	}
	return strings.Join(names, " ")
}
