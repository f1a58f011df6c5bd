package release

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// crossing takes content to where older states of it are, and returns what
// arrives and how many bytes it took.
func crossing(t testing.TB, content []byte, older ...[]byte) (got []byte, wire int) {
	t.Helper()
	dir := t.TempDir()
	var bases []basis
	for i, text := range older {
		name := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		bases = append(bases, basis{file: file, size: int64(len(text))})
	}
	defer closeAll(bases)
	size, buffer := int64(len(content)), make([]byte, 4*maxBlock)

	var told, sent, built bytes.Buffer
	o := &outgoing{Writer: bufio.NewWriter(&told)}
	if err := writeSums(o, Salt{1}, bases, size, buffer); err != nil {
		t.Fatal(err)
	}
	_ = o.Flush()
	old, err := readOld(&incoming{Reader: bufio.NewReader(&told)}, Salt{1}, size)
	if err != nil {
		t.Fatal(err)
	}
	o = &outgoing{Writer: bufio.NewWriter(&sent)}
	p := parts{to: o}
	if old == nil {
		err = p.whole(bytes.NewReader(content), buffer)
	} else {
		err = p.difference(bytes.NewReader(content), old, buffer)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = o.Flush()
	wire = sent.Len()
	if err := assemble(&built, &incoming{Reader: bufio.NewReader(&sent)}, bases, size, buffer); err != nil {
		t.Fatal(err)
	}
	return built.Bytes(), wire
}

func TestADifferenceIsSmall(t *testing.T) {
	source := rand.NewChaCha8([32]byte{})
	noise := func(n int) []byte {
		data := make([]byte, n)
		_, _ = source.Read(data)
		return data
	}
	before := noise(1_000_003)
	block := blockSize(int64(len(before)))
	for name, c := range map[string]struct {
		after []byte
		most  int // bytes
	}{
		"the same":            {before, 20},
		"a byte in front":     {append([]byte{1}, before...), 20},
		"a byte at the end":   {append(bytes.Clone(before), 1), block},
		"a piece is gone":     {append(bytes.Clone(before[:400_000]), before[500_000:]...), 2*block + 40},
		"two pieces swapped":  {append(bytes.Clone(before[700_000:]), before[:700_000]...), 3*block + 40},
		"a piece is new":      {append(append(bytes.Clone(before[:300_000]), noise(5000)...), before[300_000:]...), 5000 + 2*block + 40},
		"twice":               {append(bytes.Clone(before), before...), 4*block + 60},
		"only its end":        {before[999_000:], 1100},
		"less than a block":   {before[:block-1], block + 10},
		"exactly some blocks": {before[:20*block], 20},
		"nothing":             {nil, 1},
	} {
		got, wire := crossing(t, c.after, before)
		if !bytes.Equal(got, c.after) {
			t.Errorf("%s: %d bytes arrived of %d, or others", name, len(got), len(c.after))
		}
		if blockSize(int64(len(c.after))) == block && wire > c.most {
			t.Errorf("%s: took %d bytes, at most %d were thought of", name, wire, c.most)
		}
	}
	half := before[:500_000]
	if got, wire := crossing(t, before, half, before[500_000:]); !bytes.Equal(got, before) || wire > 3*block {
		t.Errorf("from two halves: %d bytes", wire)
	}
}

func FuzzDifference(f *testing.F) {
	f.Add([]byte("old content"), []byte("older"), []byte("new content"), uint16(300))
	f.Fuzz(func(t *testing.T, one, two, content []byte, often uint16) {
		n := 1 + int(often)%2000
		one, two, content = bytes.Repeat(one, n), bytes.Repeat(two, n), bytes.Repeat(content, n)
		if len(one)+len(two)+len(content) > 4<<20 {
			return
		}
		content = append(content, one...)
		if got, _ := crossing(t, content, one, two); !bytes.Equal(got, content) {
			t.Errorf("%d bytes arrived of %d, or others", len(got), len(content))
		}
	})
}
