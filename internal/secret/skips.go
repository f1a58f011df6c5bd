package secret

// skips finds where in a text a pattern may begin, as Wu and Manber (TR 94-17,
// 1994) do it: from the two bytes with which the first min bytes of a pattern
// would end here it knows how far away the next pattern begins at least. Of
// secrets of some length most bytes are never looked at.
type skips struct {
	begins [256]uint8 // 1 for bytes that a pattern begins with
	min    int        // length of the shortest pattern, at most maxSkip
	shift  []uint8    // by two bytes; nil where min is too small to gain by it
}

const (
	minSkip = 8
	maxSkip = 64
)

func newSkips(patterns []string) *skips {
	s := &skips{min: maxSkip}
	for _, pattern := range patterns {
		s.begins[pattern[0]] = 1
		s.min = min(s.min, len(pattern))
	}
	if s.min < minSkip {
		return s
	}
	s.shift = make([]uint8, 1<<16)
	for i := range s.shift {
		s.shift[i] = uint8(s.min - 1)
	}
	for _, pattern := range patterns {
		for end := 2; end <= s.min; end++ {
			at := pair(pattern[end-2], pattern[end-1])
			s.shift[at] = min(s.shift[at], uint8(s.min-end))
		}
	}
	return s
}

func pair(a, b byte) int { return int(a)<<8 | int(b) }

// count counts the bytes at the start of text that begin no pattern.
func (s *skips) count(text []byte) int {
	i := 0
	for s.shift != nil && i+s.min <= len(text) {
		far := int(s.shift[pair(text[i+s.min-2], text[i+s.min-1])])
		if far == 0 {
			if s.begins[text[i]] != 0 {
				return i
			}
			far = 1
		}
		i += far
	}
	for ; i+4 <= len(text); i += 4 {
		if s.begins[text[i]]|s.begins[text[i+1]]|s.begins[text[i+2]]|s.begins[text[i+3]] != 0 {
			break
		}
	}
	for i < len(text) && s.begins[text[i]] == 0 {
		i++
	}
	return i
}
