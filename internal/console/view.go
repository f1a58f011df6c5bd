package console

import (
	"fmt"
	"slices"
	"time"

	"github.com/org/deploy-action/internal/event"
)

const (
	maxName     = 32 // columns for names
	tookColumns = 8  // for durations, up to "9 m 59 s"
)

// view is how a run looks at one moment on a terminal:
//
//	⠹ build       12 s  npm run lint
//	⠹ deploy  1 m 41 s
//	  └ ship       3 s  30 %, 12 MB of 40 MB
//	⠹ restart      2 s  3/5 servers, 1 failed
//	  ├ web-4      2 s  draining 3 connections
//	  └ web-5      1 s  attempt 2 of 3
//	12/40 stages, 2 running, 1 failed, 42 s
type view struct {
	run  *run
	now  time.Time
	name int // columns for names
}

// part is a piece of a row, in one colour.
type part struct{ colour, text string }

// row is a line of a view.
type row []part

// block is what belongs together: a stage and its steps.
type block struct {
	head  row
	below []row
}

// newView is a view for a terminal of that width.
func newView(r *run, now time.Time, width int) view {
	name := r.width
	for _, at := range r.loose.steps {
		name = max(name, columns(strip(r.loose.label(&at.Step))))
	}
	return view{run: r, now: now, name: min(name, maxName, width/3)}
}

// rows are at most limit rows, the last of which tells of the whole run. What
// doesn't fit is counted: steps first, then stages.
func (v view) rows(limit int) []row {
	limit--
	blocks, wanting := v.blocks()
	shown, spare := len(blocks), limit-len(blocks)
	if spare < 0 {
		shown, spare = max(limit-1, 0), 0
	}
	var rows []row
	for _, b := range blocks[:shown] {
		rows = append(rows, b.head)
		if len(b.below) > 0 {
			below := branch(b.below, (spare+wanting-1)/wanting)
			spare, wanting = spare-len(below), wanting-1
			rows = append(rows, below...)
		}
	}
	if left := len(blocks) - shown; left > 0 && limit > 0 {
		rows = append(rows, more(left))
	}
	return append(rows, v.total())
}

// blocks are all there is to show, and how many of them want more than a row.
func (v view) blocks() (blocks []block, wanting int) {
	for _, s := range v.run.running {
		b := block{head: v.stage(s)}
		for _, at := range s.steps {
			b.below = append(b.below, v.step(s, at, v.name-2))
		}
		wanting += min(len(b.below), 1)
		blocks = append(blocks, b)
	}
	for _, at := range v.run.loose.steps {
		blocks = append(blocks, block{head: append(row{v.spin()}, v.step(v.run.loose, at, v.name)...)})
	}
	return blocks, wanting
}

// branch is at most n of the rows, as what hangs below a stage.
func branch(rows []row, n int) []row {
	if left := len(rows) - n; left > 0 {
		if n == 0 {
			return nil
		}
		rows = append(slices.Clip(rows[:n-1]), more(left+1))
	}
	for i, r := range rows {
		lead := part{dim, "  ├ "}
		if i == len(rows)-1 {
			lead.text = "  └ "
		}
		rows[i] = append(row{lead}, r...)
	}
	return rows
}

func more(n int) row { return row{{dim, fmt.Sprintf("… and %d more", n)}} }

func (v view) stage(s *stage) row {
	r := row{v.spin(), {bold, pad(cut(s.name, v.name), v.name)}, v.duration(s.began)}
	r = append(r, v.attempt(&s.doing)...)
	if len(s.servers) > 0 {
		r = append(r, part{"", fmt.Sprintf("  %d/%d servers", s.passed+s.failed, len(s.servers))})
		if s.failed > 0 {
			r = append(r, part{failed.colour, fmt.Sprintf(", %d failed", s.failed)})
		}
	}
	return append(r, said(s.last)...)
}

func (v view) step(s *stage, at *step, name int) row {
	r := row{{"", pad(cut(strip(s.label(&at.Step)), max(v.name, 8)), name)}, v.duration(at.began)}
	r = append(r, v.attempt(&at.doing)...)
	if at.progress.Unit != "" {
		r = append(r, part{"", "  " + progress(at.progress)})
	}
	return append(r, said(at.last)...)
}

// spin turns once a second.
func (v view) spin() part {
	const turns = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
	at := int(v.now.Sub(v.run.began)/frameTime) % len([]rune(turns))
	return part{begun.colour, string([]rune(turns)[at]) + " "}
}

func (v view) since(began time.Time) string { return clock(v.now.Sub(began)) }

func (v view) duration(began time.Time) part {
	return part{dim, fmt.Sprintf("  %*s", tookColumns, v.since(began))}
}

// attempt says which attempt runs, or when it will; nothing of the first.
func (v view) attempt(d *doing) row {
	if d.retried == nil {
		return nil
	}
	text := fmt.Sprintf("  attempt %d of %d", d.retried.Number+1, d.retried.Of)
	if wait := d.next.Sub(v.now); wait > 0 {
		text += " in " + clock(wait+time.Second-1)
	}
	return row{{again.colour, text}}
}

// said is the last line that somebody put out.
func said(line string) row {
	if line == "" {
		return nil
	}
	return row{{dim, "  " + strip(line)}}
}

// progress is how far a step has come: "30 %, 12 MB of 40 MB", "2 of 3 servers".
func progress(p event.Progress) string {
	number := func(n int64) string { return fmt.Sprintf("%d %s", n, strip(p.Unit)) }
	if p.Unit == "bytes" {
		number = size
	}
	switch {
	case p.Total <= 0:
		return number(p.Done)
	case p.Unit == "bytes":
		return fmt.Sprintf("%d %%, %s of %s", min(100, p.Done*100/p.Total), number(p.Done), number(p.Total))
	}
	return fmt.Sprintf("%d of %s", p.Done, number(p.Total))
}

// total tells of the whole run: "12/40 stages, 3 running, 1 failed, 42 s".
func (v view) total() row {
	r := row{{"", strip(v.run.about.Title())}}
	if v.run.about.Pipeline != "" {
		r = row{{"", fmt.Sprintf("%d/%d stages", v.run.ended, v.run.stages)}}
		if n := len(v.run.running); n > 0 {
			r = append(r, part{"", fmt.Sprintf(", %d running", n)})
		}
	}
	if n := v.run.failures(); n > 0 {
		r = append(r, part{failed.colour, fmt.Sprintf(", %d failed", n)})
	}
	return append(r, part{dim, ", " + v.since(v.run.began)})
}
