package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	maxBoxes   = 300  // of a graph that can be read
	maxLegs    = 16   // drawn of one matrix
	maxPasses  = 4000 // edges, counted in every layer that they cross
	lineHeight = 18
	boxPad     = 9
	letter     = 7.2 // width of a character of a box's text, roughly
	minWidth   = 96
	maxWidth   = 230
	margin     = 4
	layerGap   = 56
)

// box is a stage of the graph, or all legs of one matrix.
type box struct {
	stages   []*stage
	needed   []*box
	critical bool
	before   *box // on the longest chain
}

// drawing is the graph of the stages, ready to be drawn.
type drawing struct {
	Width, Height string
	Label         string
	Edges, Path   []string // lines; Path is the longest chain
	Boxes         []drawnBox
}

type drawnBox struct {
	X, Y, W, H string
	Class      string
	Critical   bool
	Title      string // of a matrix
	TitleY     string
	Lines      []drawnLine
}

// drawnLine is a stage within its box.
type drawnLine struct {
	Anchor, Full        string
	Class               string
	Text, Took          string
	X, Y, DotX, DotY, R string
}

// draw lays the graph out; where that would be of no use, it says why.
func draw(a *account) (*drawing, string) {
	boxes := boxesOf(a)
	if len(a.stages) < 2 {
		return nil, ""
	}
	if len(boxes) > maxBoxes {
		return nil, fmt.Sprintf("The graph is left out: %d boxes are more than the %d that can be read.", len(boxes), maxBoxes)
	}
	if passes(boxes) > maxPasses {
		return nil, fmt.Sprintf("The graph is left out: it has more than %d lines.", maxPasses)
	}
	d := &drawing{Label: fmt.Sprintf("Graph of %s; the same is in the table and under Logs.", count(len(a.stages), "stage", "stages"))}
	d.draw(layer(boxes))
	return d, ""
}

// boxesOf makes the boxes of a run, each after those it needs.
func boxesOf(a *account) []*box {
	var all []*box
	of, family := make(map[*stage]*box), make(map[string]*box)
	for _, s := range a.planned() {
		b := family[s.family()]
		if b == nil {
			b = &box{}
			family[s.family()] = b
			all = append(all, b)
			for _, needed := range s.needed { // all legs need the same
				b.needs(of[needed])
			}
		}
		b.stages = append(b.stages, s)
		of[s] = b
	}
	if len(a.chain) > 1 {
		for _, s := range a.chain {
			of[s].critical = true
			of[s].before = of[s.before]
		}
	}
	return all
}

// needs notes another box once.
func (b *box) needs(other *box) {
	for _, known := range b.needed {
		if known == other {
			return
		}
	}
	b.needed = append(b.needed, other)
}

// passes counts edges in every layer that they cross.
func passes(boxes []*box) int {
	depth := make(map[*box]int, len(boxes))
	n := 0
	for _, b := range boxes {
		for _, needed := range b.needed {
			depth[b] = max(depth[b], depth[needed]+1)
		}
		for _, needed := range b.needed {
			n += depth[b] - depth[needed]
		}
	}
	return n
}

// lines is how many stages are drawn in b.
func (b *box) lines() int { return min(len(b.stages), maxLegs) }

func (b *box) matrix() bool { return len(b.stages) > 1 }

func (b *box) height() float64 {
	lines := b.lines()
	if b.matrix() {
		lines++ // its title
	}
	return float64(lines*lineHeight + 2*boxPad)
}

// width is what the texts of b need.
func (b *box) width() float64 {
	longest := len([]rune(b.title()))
	for _, s := range b.stages[:b.lines()] {
		longest = max(longest, len([]rune(b.name(s)))+len([]rune(timeOf(s)))+4)
	}
	return min(max(float64(longest)*letter+2*boxPad, minWidth), maxWidth)
}

// title is the name of a matrix.
func (b *box) title() string {
	switch {
	case !b.matrix():
		return ""
	case len(b.stages) > maxLegs:
		return fmt.Sprintf("%s (%d legs, %d shown)", short(b.stages[0].Leg), len(b.stages), maxLegs)
	}
	return short(b.stages[0].Leg)
}

// name is the name of a stage within b: of a leg, what tells it from the others.
func (b *box) name(s *stage) string {
	bare, ok := strings.CutPrefix(s.Name, s.Leg+"[")
	if b.matrix() && ok {
		return short(strings.TrimSuffix(bare, "]"))
	}
	return short(s.Name)
}

func timeOf(s *stage) string {
	if s.took() == 0 {
		return ""
	}
	return took(s.took())
}

func (d *drawing) draw(l *layered) {
	x, top, bottom := float64(margin), 0.0, 0.0
	left, wide := make([]float64, len(l.layers)), make([]float64, len(l.layers))
	for i, all := range l.layers {
		for _, v := range all {
			top, bottom = min(top, v.y-v.height/2), max(bottom, v.y+v.height/2)
			if v.box != nil {
				wide[i] = max(wide[i], v.box.width())
			}
		}
		left[i] = x
		x += wide[i] + layerGap
	}
	for i, all := range l.layers {
		for _, v := range all {
			v.y += margin - top
			if v.box != nil {
				d.Boxes = append(d.Boxes, v.box.drawn(left[i], v.y-v.height/2, wide[i]))
			}
		}
	}
	for _, c := range l.courses {
		d.edge(c, left, wide)
	}
	d.Width, d.Height = coord(x-layerGap+margin), coord(bottom-top+2*margin)
}

// edge draws an edge: level past the boxes of a layer, curved between layers.
func (d *drawing) edge(c course, left, wide []float64) {
	var b strings.Builder
	fmt.Fprintf(&b, "M%s %s", coord(left[c.first]+wide[c.first]), coord(c.via[0].y))
	for i, v := range c.via[1:] {
		before, here := c.first+i, c.first+i+1
		from, to := left[before]+wide[before], left[here]
		middle := coord((from + to) / 2)
		fmt.Fprintf(&b, "C%s %s %s %s %s %s", middle, coord(c.via[i].y), middle, coord(v.y), coord(to), coord(v.y))
		if v.box == nil {
			fmt.Fprintf(&b, "H%s", coord(to+wide[here]))
		}
	}
	if c.to.critical && c.to.before == c.from {
		d.Path = append(d.Path, b.String())
		return
	}
	d.Edges = append(d.Edges, b.String())
}

func (b *box) drawn(x, y, w float64) drawnBox {
	d := drawnBox{
		X: coord(x), Y: coord(y), W: coord(w), H: coord(b.height()), Critical: b.critical,
		Class: worstLook(b.stages).Class, TitleY: coord(y + boxPad + lineHeight*0.7),
	}
	room := int((w - 2*boxPad) / letter)
	d.Title = clip(b.title(), room)
	y += boxPad
	if b.matrix() {
		y += lineHeight
	}
	for _, s := range b.stages[:b.lines()] {
		lasted := timeOf(s)
		d.Lines = append(d.Lines, drawnLine{
			Anchor: s.anchor(), Full: short(s.Name + ": " + s.verdict()), Class: s.look().Class,
			Text: clip(b.name(s), max(room-len([]rune(lasted))-3, 4)), Took: lasted,
			X: coord(x + boxPad + 14), DotX: coord(x + boxPad + 4), R: coord(x + w - boxPad),
			Y: coord(y + lineHeight*0.7), DotY: coord(y + lineHeight*0.5),
		})
		y += lineHeight
	}
	return d
}

// coord is a coordinate with one decimal at most.
func coord(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }
