package console

import (
	"bytes"
	"strings"
	"time"
)

// frameTime is between two frames.
const frameTime = 100 * time.Millisecond

// live draws what runs at the bottom of a terminal. Events only change the
// console's run; a ticker draws it.
type live struct {
	console *Console
	region  region
	away    chan func()
	quit    chan struct{}
	done    chan struct{}
}

func newLive(c *Console) *live {
	l := &live{console: c, away: make(chan func()), quit: make(chan struct{}), done: make(chan struct{})}
	go l.loop()
	return l
}

func (l *live) loop() {
	defer close(l.done)
	defer l.draw(false)
	frames := time.NewTicker(frameTime)
	defer frames.Stop()
	for {
		select {
		case <-l.quit:
			return
		case do := <-l.away:
			l.draw(false)
			do()
		case <-frames.C:
			l.draw(true)
		}
	}
}

// close leaves the lines that have scrolled up and nothing else.
func (l *live) close() {
	close(l.quit)
	<-l.done
}

// Away calls do while nothing is drawn, with the terminal as it was found: for
// the time that somebody else has it.
func (c *Console) Away(do func()) {
	if c.live == nil {
		do()
		return
	}
	back := make(chan struct{})
	select {
	case c.live.away <- func() { do(); close(back) }:
		<-back
	case <-c.live.done:
		do()
	}
}

// draw brings the terminal up to date, in one write that holds up no event.
func (l *live) draw(running bool) {
	c := l.console
	width, height := c.options.Terminal()
	c.mu.Lock()
	above := bytes.Clone(c.out.Bytes())
	c.out.Reset()
	var rows []string
	if running && !c.run.finished && height > 0 {
		for _, row := range newView(c.run, time.Now(), width).rows(max(height-1, 1)) {
			rows = append(rows, c.render(row, width-1))
		}
	}
	c.mu.Unlock()
	if frame := l.region.frame(above, rows, width, height); frame != nil && c.err == nil {
		c.write(frame)
	}
}

// render is a row of at most n columns.
func (c *Console) render(r row, n int) string {
	var b strings.Builder
	for _, p := range r {
		if n <= 0 {
			break
		}
		text := cut(p.text, n)
		b.WriteString(c.paint(p.colour, text))
		n -= columns(text)
	}
	return b.String()
}
