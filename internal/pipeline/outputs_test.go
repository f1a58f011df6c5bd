package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/secret"
	"github.com/org/deploy-action/internal/spec"
)

func TestParseOutputs(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want map[string]string
		err  string
	}{
		"nothing":                {"", map[string]string{}, ""},
		"pairs":                  {"a=1\n\nb_2-x= two = 2 \nc=\n", map[string]string{"a": "1", "b_2-x": " two = 2 ", "c": ""}, ""},
		"no last newline":        {"a=1", map[string]string{"a": "1"}, ""},
		"last one holds":         {"a=1\na=2\n", map[string]string{"a": "2"}, ""},
		"heredoc":                {"a<<END\none\n\nEND \n  two=2\nEND\nb=1\n", map[string]string{"a": "one\n\nEND \n  two=2", "b": "1"}, ""},
		"empty heredoc":          {"a<<END\nEND\n", map[string]string{"a": ""}, ""},
		"heredoc sign in value":  {"a=x<<y\n", map[string]string{"a": "x<<y"}, ""},
		"equals in delimiter":    {"a<<x=y\n1\nx=y\n", map[string]string{"a": "1"}, ""},
		"windows":                {"a=1\r\nb<<END\r\nx\r\nEND\r\n", map[string]string{"a": "1", "b": "x"}, ""},
		"no sign":                {"a=1\nnonsense\n", nil, `line 2: "nonsense" is neither`},
		"no name":                {"=1\n", nil, "line 1"},
		"name that is none":      {"a b=1\n", nil, "line 1"},
		"no delimiter":           {"a<<\nx\n\n", nil, "line 1"},
		"heredoc without an end": {"b=1\na<<END\nx\n", nil, "line 2: the end of the value of a is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseOutputs(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want %q", err, test.err)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v; want, got:\n%s", err, diff)
			}
		})
	}
}

func FuzzParseOutputs(f *testing.F) {
	f.Add("a=1\nb<<E\nx\nE\n", "v\nw")
	f.Fuzz(func(t *testing.T, text, value string) {
		_, _ = parseOutputs(text)
		if strings.Contains(value, "\r") || strings.Contains("\n"+value+"\n", "\nEND\n") {
			return
		}
		got, err := parseOutputs("k<<END\n" + value + "\nEND\n")
		if err != nil || got["k"] != value {
			t.Errorf("%q is read back as %q, %v", value, got["k"], err)
		}
	})
}

func TestTakeOutputsIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.output")
	if err := os.WriteFile(path, []byte("a="+strings.Repeat("x", maxOutputs)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := takeOutputs(path); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the file is still there")
	}
}

func TestOutputsBecomeFacts(t *testing.T) {
	local := machine.NewLocal("here")
	defer local.Close()
	r := newRun(&plan.Plan{}, Options{
		LogDir: t.TempDir(), Machine: local, Masker: secret.New(nil), Emit: func(event.Event) {},
	}, nil)
	for name, script := range map[string]string{
		"build":  `echo tag=v1.2 >> "$TURNOUT_OUTPUT"; printf 'notes<<END\none\ntwo\nEND\n' >> "$TURNOUT_OUTPUT"`,
		"failed": `echo report=r.xml >> "$TURNOUT_OUTPUT"; exit 1`,
		"silent": "true",
	} {
		before := r.known(&plan.Stage{})
		r.stage(t.Context(), &plan.Stage{Name: name, Run: spec.Known(script), OnFailure: spec.Continue})
		if _, changed := before.Outputs[name]; changed {
			t.Error("facts handed out before were written to")
		}
	}
	got := r.known(&plan.Stage{})
	want := map[string]map[string]string{
		"build": {"tag": "v1.2", "notes": "one\ntwo"}, "failed": {"report": "r.xml"},
	}
	if diff := cmp.Diff(want, got.Outputs); diff != "" || len(got.Failed) != 1 || !got.Failed["failed"] {
		t.Errorf("failed: %v; outputs, want, got:\n%s", got.Failed, diff)
	}
}
