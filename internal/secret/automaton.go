package secret

// automaton finds all of its patterns in one pass over a text, as Aho and
// Corasick (CACM 18, 1975) describe it, with every transition worked out
// beforehand. State 0 is the start.
type automaton struct {
	skips   *skips      // finds where a pattern may begin
	class   [256]uint16 // bytes that no pattern has are all of class 0
	classes int
	next    []uint32 // by state × classes + class
	depth   []uint32 // of a state: how many of the last bytes may begin a pattern
	longest []uint32 // of a state: length of the longest pattern that ends here, or 0
}

func newAutomaton(patterns []string) *automaton {
	a := &automaton{}
	a.classify(patterns)
	a.grow(0)
	for _, pattern := range patterns {
		a.insert(pattern)
	}
	a.link()
	a.skips = newSkips(patterns)
	return a
}

func (a *automaton) classify(patterns []string) {
	a.classes = 1
	for _, pattern := range patterns {
		for i := range len(pattern) {
			if a.class[pattern[i]] == 0 {
				a.class[pattern[i]] = uint16(a.classes)
				a.classes++
			}
		}
	}
}

// grow adds a state.
func (a *automaton) grow(depth uint32) uint32 {
	a.next = append(a.next, make([]uint32, a.classes)...)
	a.depth = append(a.depth, depth)
	a.longest = append(a.longest, 0)
	return uint32(len(a.depth) - 1)
}

// insert adds a pattern to the tree of states; 0 stands for no child.
func (a *automaton) insert(pattern string) {
	state := uint32(0)
	for i := range len(pattern) {
		at := int(state)*a.classes + int(a.class[pattern[i]])
		if a.next[at] == 0 {
			child := a.grow(a.depth[state] + 1)
			a.next[at] = child
		}
		state = a.next[at]
	}
	a.longest[state] = a.depth[state]
}

// link fills in, breadth first, where a state goes on when it has no child: to
// where its longest proper suffix would go.
func (a *automaton) link() {
	suffix := make([]uint32, len(a.depth))
	states := []uint32{0}
	for len(states) > 0 {
		state := states[0]
		states = states[1:]
		a.longest[state] = max(a.longest[state], a.longest[suffix[state]])
		row, fallback := a.row(state), a.row(suffix[state])
		for class, child := range row {
			switch {
			case child == 0:
				row[class] = fallback[class]
			default:
				if state != 0 {
					suffix[child] = fallback[class]
				}
				states = append(states, child)
			}
		}
	}
}

func (a *automaton) row(state uint32) []uint32 {
	return a.next[int(state)*a.classes : (int(state)+1)*a.classes]
}

// scan runs over text from state on, calls found with the end of each pattern
// in text and its length, and returns the state it ends in. Of patterns that
// end at the same byte only the longest is reported.
func (a *automaton) scan(state uint32, text []byte, found func(end, length int)) uint32 {
	for i := 0; i < len(text); i++ {
		if state == 0 {
			if i += a.skips.count(text[i:]); i == len(text) {
				break
			}
		}
		state = a.next[int(state)*a.classes+int(a.class[text[i]])]
		if length := a.longest[state]; length != 0 {
			found(i+1, int(length))
		}
	}
	return state
}
