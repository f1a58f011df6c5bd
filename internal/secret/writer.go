package secret

import "io"

// masking is a Masker's Writer. Places count from the beginning of held; what
// was passed on lies before 0.
type masking struct {
	automaton *automaton
	w         io.Writer
	state     uint32
	held      []byte // not passed on yet
	spans     []span // what is to be masked, in order, apart from each other
}

// span is a part of the text that secrets cover.
type span struct{ from, to int }

// Write masks and passes on p as far as it can be told that no secret begins in
// it. It reports all of p as written unless w failed.
func (m *masking) Write(p []byte) (int, error) {
	offset := len(m.held)
	m.state = m.automaton.scan(m.state, p, func(end, length int) { m.cover(offset+end-length, offset+end) })
	if keep := int(m.automaton.depth[m.state]); len(m.spans) == 0 && keep <= len(p) {
		return len(p), m.through(p, keep)
	}
	m.held = append(m.held, p...)
	if err := m.pass(len(m.held) - int(m.automaton.depth[m.state])); err != nil {
		return 0, err
	}
	return len(p), nil
}

// through passes on what is held and p, in which there is no secret, but for the
// last bytes that may begin one.
func (m *masking) through(p []byte, keep int) error {
	safe := len(p) - keep
	for _, part := range [][]byte{m.held, p[:safe]} {
		if len(part) == 0 {
			continue
		}
		if _, err := m.w.Write(part); err != nil {
			return err
		}
	}
	m.held = append(m.held[:0], p[safe:]...)
	return nil
}

// Close passes on what is held back.
func (m *masking) Close() error {
	m.state = 0
	return m.pass(len(m.held))
}

// cover adds a span and unites it with those it overlaps.
func (m *masking) cover(from, to int) {
	last := len(m.spans) - 1
	for ; last >= 0 && m.spans[last].to > from; last-- {
		from = min(from, m.spans[last].from)
	}
	m.spans = append(m.spans[:last+1], span{from, to})
}

// pass passes on what lies before safe. No secret that is still to be found
// begins before safe, so a span that does has its final beginning: it can be
// told at once, and its bytes forgotten.
func (m *masking) pass(safe int) error {
	var out []byte
	at := 0
	for len(m.spans) > 0 && m.spans[0].from < safe {
		next := m.spans[0]
		if next.from >= 0 { // else it goes on with a span that was told before
			out = append(append(out, m.held[at:next.from]...), Mask...)
		}
		at = next.to
		m.spans = m.spans[1:]
	}
	if safe > at {
		out = append(out, m.held[at:safe]...)
		at = safe
	}
	m.forget(at)
	if len(out) == 0 {
		return nil
	}
	_, err := m.w.Write(out)
	return err
}

// forget drops the first n bytes of what is held.
func (m *masking) forget(n int) {
	m.held = append(m.held[:0], m.held[n:]...)
	for i := range m.spans {
		m.spans[i].from -= n
		m.spans[i].to -= n
	}
	if len(m.spans) == 0 {
		m.spans = nil
	}
}
