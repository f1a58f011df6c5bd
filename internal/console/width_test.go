package console

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
)

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"abcd", 1, "…"},
		{"日本", 4, "日本"},
		{"日本", 3, "日…"},
		{"日本語", 4, "日…"},
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"a\u200db\u200bc", 3, "a\u200db\u200bc"},
		{"ｆｕｌｌ", 5, "ｆｕ…"},
		{"so\u00adft", 4, "so\u00ad…"},
	} {
		if got := cut(test.text, test.n); got != test.want || columns(got) > test.n {
			t.Errorf("cut(%q, %d) = %q, %d columns; want %q", test.text, test.n, got, columns(got), test.want)
		}
	}
}

// TestColumnsAreThoseOfATerminal asks a terminal where its cursor came to.
func TestColumnsAreThoseOfATerminal(t *testing.T) {
	for _, text := range []string{"build", "日本語", "한국어", "e\u0301a\u0308", "ＡＢ", "│├└…✓✗↻–", "⠋⠙", "ﾊﾝ", "ёж", "שלום", "ไทย", "🚀🎉"} {
		s := vt.NewEmulator(80, 2)
		if _, err := s.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if x := s.CursorPosition().X; x != columns(text) {
			t.Errorf("%q takes %d columns, not %d", text, x, columns(text))
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("日本e\u0301", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = 1 + max(n, -n)%100
		got := cut(text, max(n, 1))
		if columns(got) > max(n, 1) || columns(text) <= n && got != text || !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) {
			t.Errorf("cut(%q, %d) = %q", text, n, got)
		}
	})
}
