package loadtest

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Record is requests in the order in which they ended.
type Record []Request

// Failed are the requests that failed.
func (r Record) Failed() Record {
	return r.where(func(q Request) bool { return q.Error != "" })
}

// Of are the requests of one kind.
func (r Record) Of(kind string) Record {
	return r.where(func(q Request) bool { return q.Kind == kind })
}

func (r Record) where(keep func(Request) bool) Record {
	var kept Record
	for _, q := range r {
		if keep(q) {
			kept = append(kept, q)
		}
	}
	return kept
}

// Kinds are the names of the kinds in r, sorted.
func (r Record) Kinds() []string {
	var names []string
	for _, q := range r {
		if !slices.Contains(names, q.Kind) {
			names = append(names, q.Kind)
		}
	}
	slices.Sort(names)
	return names
}

// Shift is how traffic moved to a slot, by when requests arrived there, from the
// moment the switch began.
type Shift struct {
	Moved    bool          // a request arrived at the new slot at all
	FirstNew time.Duration // first request at the new slot
	LastOld  time.Duration // last request at another slot; 0 when none came after the moment
}

// Shift measures the move to slot that began at moment.
func (r Record) Shift(moment time.Time, slot string) Shift {
	var s Shift
	for _, q := range r {
		if q.Arrived.IsZero() || q.Arrived.Before(moment) {
			continue
		}
		after := q.Arrived.Sub(moment)
		switch {
		case q.Slot != slot:
			s.LastOld = max(s.LastOld, after)
		case !s.Moved || after < s.FirstNew:
			s.Moved, s.FirstNew = true, after
		}
	}
	return s
}

// LongestGap is the longest time in which no good answer came.
func (r Record) LongestGap() time.Duration {
	var answers []time.Time
	for _, q := range r {
		if q.Error == "" {
			answers = append(answers, q.Start.Add(q.Took))
		}
	}
	slices.SortFunc(answers, time.Time.Compare)
	var longest time.Duration
	for i := 1; i < len(answers); i++ {
		longest = max(longest, answers[i].Sub(answers[i-1]))
	}
	return longest
}

// Percentile is the time that p percent of the good answers did not exceed.
func (r Record) Percentile(p int) time.Duration {
	var took []time.Duration
	for _, q := range r {
		if q.Error == "" {
			took = append(took, q.Took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[max(0, (len(took)*p+99)/100-1)]
}

// Write prints a table with a line per kind, and the first failures beneath. The
// last two columns are those of Shift.
func (r Record) Write(w io.Writer, moment time.Time, slot string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  traffic\trequests\tfailed\tp50\tp99\tfirst new\tlast old")
	for _, kind := range append(r.Kinds(), "") {
		of, name := r.Of(kind), kind
		if kind == "" {
			of, name = r, "all"
		}
		shift := of.Shift(moment, slot)
		fmt.Fprintf(table, "  %s\t%d\t%d\t%s\t%s\t%s\t%s\n", name, len(of), len(of.Failed()),
			short(of.Percentile(50)), short(of.Percentile(99)), shift.first(), short(shift.LastOld))
	}
	for _, q := range r.Failed()[:min(3, len(r.Failed()))] {
		fmt.Fprintf(table, "  failed: %s at %s: %s\n", q.Kind, q.Start.Format("15:04:05.000"), q.Error)
	}
	return table.Flush()
}

func (s Shift) first() string {
	if !s.Moved {
		return "never"
	}
	return short(s.FirstNew).String()
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
