package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/secret"
)

const key = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXk+djEAAAAA/G5vbmU\nAAAEbm9uZQAAAAAAAAABAAAA\nw=\n-----END KEY-----\n"

func TestString(t *testing.T) {
	for name, test := range map[string]struct {
		secrets []string
		in, out string
	}{
		"none":                    {nil, "as it was", "as it was"},
		"plain":                   {[]string{"hunter2"}, "it is hunter2, hunter2!", "it is ***, ***!"},
		"beginning and end":       {[]string{"hunter2"}, "hunter2 hunter2", "*** ***"},
		"almost":                  {[]string{"hunter2"}, "hunter hunter1 hhunter", "hunter hunter1 hhunter"},
		"too short":               {[]string{"ab", ""}, "abba", "abba"},
		"blanks":                  {[]string{"      "}, "a        b", "a        b"},
		"one in another":          {[]string{"abc", "xabcx"}, "abc xabcx xabc", "*** *** x***"},
		"overlapping":             {[]string{"abcd", "cdef"}, "<abcdef>", "<***>"},
		"overlapping itself":      {[]string{"aba"}, "<abababa>", "<***>"},
		"side by side":            {[]string{"abc"}, "<abcabc>", "<******>"},
		"longer one breaks off":   {[]string{"bcd", "abcdefgh"}, "abcdefg", "a***efg"},
		"lines of one secret":     {[]string{key}, "x-----BEGIN KEY-----\r\nAAAEbm9uZQAAAAAAAAABAAAA\nw=\n", "x***\r\n***\nw=\n"},
		"lines all short":         {[]string{"a\nb\nc"}, "<a\nb\nc>", "<***>"},
		"newline at the end":      {[]string{"hunter2\n"}, "hunter2", "***"},
		"bytes that are no UTF-8": {[]string{"\xff\xfe\x00"}, "a\xff\xfe\x00b", "a***b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := secret.New(test.secrets).String(test.in); got != test.out {
				t.Errorf("String(%q) = %q, want %q", test.in, got, test.out)
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	for _, value := range []string{"s3cr3t?/>~+&=\"pass word", "p@ss<w>örd!", key} {
		m := secret.New([]string{value})
		value = strings.Trim(value, "\n")
		quoted, err := json.Marshal(map[string]string{"k": value})
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"base64":       base64.StdEncoding.EncodeToString([]byte(value)),
			"raw base64":   base64.RawStdEncoding.EncodeToString([]byte(value)),
			"url base64":   base64.URLEncoding.EncodeToString([]byte(value)),
			"query":        url.QueryEscape(value),
			"path":         url.PathEscape(value),
			"json":         strings.TrimSuffix(strings.TrimPrefix(string(quoted), `{"k":"`), `"}`),
			"base64(1)":    base64Program(t, value, 76),
			"base64 -w 64": base64Program(t, value, 64),
		} {
			got := strings.ReplaceAll(m.String("<"+text+">"), "\n", "")
			if strings.Trim(got, "<*>") != "" {
				t.Errorf("%s of %q: %q comes out as %q", name, value, text, got)
			}
		}
	}
}

func base64Program(t *testing.T, value string, width int) string {
	t.Helper()
	cmd := exec.Command("base64", fmt.Sprintf("-w%d", width))
	cmd.Stdin = strings.NewReader(value)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// A neighbour has a part in the first and the last character of the secret's
// base64; nothing else of it may be left.
func TestBase64WithinSomethingLonger(t *testing.T) {
	value := "correct-horse-battery"
	m := secret.New([]string{value})
	for before := range 4 {
		for after := range 4 {
			text := strings.Repeat("u", before) + value + strings.Repeat(":", after)
			encoded := base64.StdEncoding.EncodeToString([]byte(text))
			masked := m.String(encoded)
			if left := len(strings.Replace(masked, secret.Mask, "", 1)); !strings.Contains(masked, secret.Mask) || left > len(encoded)-26 {
				t.Errorf("%q: %q comes out as %q", text, encoded, masked)
			}
		}
	}
}

func TestWriterHoldsNoFinishedLine(t *testing.T) {
	var out bytes.Buffer
	w := secret.New([]string{"hunter2", key, "line\r\nbreak"}).Writer(&out)
	for _, line := range []string{"hunt\n", "er2 hunter2 hunter\n", "-----BEGIN KEY-----\n", "line\n"} {
		before := out.Len()
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
		if out.Len() == before || out.Bytes()[out.Len()-1] != '\n' {
			t.Errorf("after the line %q only %q is out", line, out.String())
		}
	}
}

func TestWriterForgetsWhatItMasks(t *testing.T) {
	var out bytes.Buffer
	w := secret.New([]string{"aaa"}).Writer(&out)
	chunk := bytes.Repeat([]byte("a"), 1<<10)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = w.Write(chunk)
		}
	}).AllocedBytesPerOp()
	if _ = w.Close(); out.String() != secret.Mask || allocated > 4<<10 {
		t.Errorf("one secret without an end came out as %.40q and took %d bytes per write", out.String(), allocated)
	}
}

func TestWriterReportsWhatItWritesTo(t *testing.T) {
	full := errors.New("no space left on device")
	r, pipe := io.Pipe()
	r.CloseWithError(full)
	for _, secrets := range [][]string{nil, {"hunter2"}} {
		if _, err := secret.New(secrets).Writer(pipe).Write([]byte("any hunter")); !errors.Is(err, full) {
			t.Errorf("with %d secrets: Write = %v, want %v", len(secrets), err, full)
		}
	}
}

// FuzzMasker gives the text around two secrets and where its writes are split.
func FuzzMasker(f *testing.F) {
	f.Add("hunter2", "ter2x", "a hunter2 b hunter2x c", uint8(3))
	f.Add("aba", "bab", "abababab", uint8(1))
	f.Add("line one\nline two", "one\nl", "say line one\nline two", uint8(5))
	f.Add("a\nb\nc", "\n\n\n", "a\nb\nc\n\na\nb", uint8(2))
	f.Fuzz(func(t *testing.T, first, second, text string, step uint8) {
		m := secret.New([]string{first, second})
		text = text + first + text + second[len(second)/2:] + first + second + text
		want := m.String(text)
		var got bytes.Buffer
		w := m.Writer(&got)
		size := int(step)%7 + 1
		for rest := text; rest != ""; size = (size*5+int(step))%11 + 1 {
			n := min(size, len(rest))
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil || got.String() != want {
			t.Fatalf("in pieces %q, in one %q (%v)", got.String(), want, err)
		}
		for _, s := range []string{first, second} {
			s = strings.Trim(s, "\r\n")
			if len(strings.TrimSpace(s)) >= 3 && !strings.Contains(s, "*") && strings.Contains(want, s) {
				t.Fatalf("%q is left in %q", s, want)
			}
		}
	})
}

func passwords(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("Pw%dx%d!", i*7919, i*104729))
	}
	return all
}

func BenchmarkWriter(b *testing.B) {
	line := "2026-11-23T18:45:01Z webpack 5.90.0 compiled 1432 modules in 2310 ms (/srv/app/node_modules)\n"
	chunk := []byte(strings.Repeat(line, 32<<10/len(line)))
	for name, secrets := range map[string][]string{
		"30 passwords": passwords(30), "short": {"abc"},
		"none": nil, "token": {"ghp_0123456789abcdefghijABCDEFGHIJ456789"}, "key": {strings.Repeat(key, 20), "hunter2-and-more"},
	} {
		b.Run(name, func(b *testing.B) {
			w := secret.New(secrets).Writer(io.Discard)
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = w.Write(chunk)
			}
		})
	}
}
