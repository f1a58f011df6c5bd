// Package beside measures programs side by side, as whole processes: in turn, so
// that what else the machine does hits all of them, and each round begins with
// another one.
package beside

import (
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// Contender is a program to measure.
type Contender struct {
	Name   string
	Args   []string
	Dir    string
	Env    []string           // on top of this process's
	Before func() error       // not measured; may be nil
	Floor  string             // the contender it is held against; may be empty
	Each   int                // what its time is divided by, such as a number of stages
	After  func() (bad error) // looks at what it left; not measured; may be nil
	Peer   bool               // neither the floor nor turnout
	Others func() float64     // what others have taken for it so far, such as a server: CPU ms; may be nil
}

// Measured is what a contender took: medians of time, the most memory.
type Measured struct {
	Contender
	Wall, Least, CPU float64 // ms
	Served           float64 // CPU ms of Others
	MiB              float64 // of the largest process
}

//go:embed c
var sources embed.FS

// Bench runs contenders.
type Bench struct{ dir string }

// New makes a bench whose programs are built in dir.
func New(ctx context.Context, dir string) (*Bench, error) {
	b := &Bench{dir: dir}
	for _, name := range []string{"measure", "floor"} {
		source, err := sources.ReadFile("c/" + name + ".c")
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, "gcc", "-O2", "-o", b.Program(name), "-x", "c", "-")
		cmd.Stdin = strings.NewReader(string(source))
		if said, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("gcc: %s.c: %w\n%s", name, err, said)
		}
	}
	return b, nil
}

// Program is the path of one of the bench's own programs: floor, measure.
func (b *Bench) Program(name string) string { return filepath.Join(b.dir, name) }

// Run measures contenders, each so many times.
func (b *Bench) Run(ctx context.Context, rounds int, contenders []Contender) ([]Measured, error) {
	all := make([][]sample, len(contenders))
	for round := range rounds {
		for i := range contenders {
			at := (round + i) % len(contenders)
			s, err := b.once(ctx, contenders[at])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", contenders[at].Name, err)
			}
			all[at] = append(all[at], s)
		}
	}
	measured := make([]Measured, len(contenders))
	for i, c := range contenders {
		measured[i] = sum(c, all[i])
	}
	return measured, nil
}

// slowest is what a peer's run may take, in ms, to be repeated: the rest are so far
// off that their noise does not matter.
const slowest = 5000

// RunAfterOne is Run once each contender has run, so that all find what they leave.
// A peer that was slow then is measured by one run more.
func (b *Bench) RunAfterOne(ctx context.Context, rounds int, contenders []Contender) ([]Measured, error) {
	first, err := b.Run(ctx, 1, contenders)
	if err != nil {
		return nil, err
	}
	var quick, slow []Contender
	for i, m := range first {
		if c := contenders[i]; c.Peer && m.Wall > slowest {
			slow = append(slow, c)
		} else {
			quick = append(quick, c)
		}
	}
	measured, err := b.Run(ctx, rounds, quick)
	if err != nil {
		return nil, err
	}
	once, err := b.Run(ctx, 1, slow)
	return append(measured, once...), err
}

// sample is one run.
type sample struct {
	wall, cpu, others, mib float64
	status                 int
}

func (b *Bench) once(ctx context.Context, c Contender) (sample, error) {
	if c.Before != nil {
		if err := c.Before(); err != nil {
			return sample{}, err
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return sample{}, err
	}
	defer r.Close()
	var said strings.Builder
	cmd := exec.CommandContext(ctx, b.Program("measure"), c.Args...)
	cmd.Dir, cmd.Env, cmd.Stderr, cmd.ExtraFiles = c.Dir, append(os.Environ(), c.Env...), &said, []*os.File{w}
	before := c.others()
	err = cmd.Run()
	w.Close()
	if err != nil {
		return sample{}, fmt.Errorf("%w\n%s", err, said.String())
	}
	s := sample{others: c.others() - before}
	if _, err := fmt.Fscan(r, &s.wall, &s.cpu, &s.mib, &s.status); err != nil {
		return s, err
	}
	if s.status != 0 {
		return s, fmt.Errorf("status %#x\n%s", s.status, said.String())
	}
	if c.After != nil {
		err = c.After()
	}
	return s, err
}

func (c Contender) others() float64 {
	if c.Others == nil {
		return 0
	}
	return c.Others()
}

func sum(c Contender, samples []sample) Measured {
	m := Measured{Contender: c}
	of := func(of func(sample) float64) (median, least float64) {
		var all []float64
		for _, s := range samples {
			all = append(all, of(s))
		}
		slices.Sort(all)
		return all[len(all)/2], all[0]
	}
	m.Wall, m.Least = of(func(s sample) float64 { return s.wall })
	m.CPU, _ = of(func(s sample) float64 { return s.cpu })
	m.Served, _ = of(func(s sample) float64 { return s.others })
	for _, s := range samples {
		m.MiB = max(m.MiB, s.mib)
	}
	return m
}

// Table prints what was measured, each beside its floor.
func Table(w io.Writer, title string, measured []Measured) error {
	walls := make(map[string]float64)
	for _, m := range measured {
		walls[m.Name] = m.Wall
	}
	fmt.Fprintf(w, "\n%s\n", title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tms\tleast\tCPU ms\tothers' CPU\tMiB\t× floor\tabove, each\t")
	for _, m := range measured {
		ratio, above := "", ""
		if floor := walls[m.Floor]; floor > 0 {
			ratio = fmt.Sprintf("%.2f", m.Wall/floor)
			above = fmt.Sprintf("%.0f µs", (m.Wall-floor)/float64(max(m.Each, 1))*1e3)
		}
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.1f\t%s\t%.1f\t%s\t%s\t\n", m.Name, m.Wall, m.Least, m.CPU, others(m), m.MiB, ratio, above)
	}
	return t.Flush()
}

func others(m Measured) string {
	if m.Others == nil {
		return ""
	}
	return fmt.Sprintf("%.0f", m.Served)
}
