package spec_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/org/deploy-action/internal/spec"
)

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"ok/*.hcl", "err/*.hcl"} {
		for _, path := range files(f, pattern) {
			src, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		s, problems := spec.Parse(src, "fuzz.hcl", spec.Options{Dir: t.TempDir()})
		for _, p := range problems {
			if p.Summary == "" || p.Detail == "" || p.Pos.Line < 1 || p.Pos.Column < 1 {
				t.Errorf("problem without words or place: %+v", p)
			}
		}
		if err := problems.Write(&bytes.Buffer{}, false); err != nil {
			t.Error(err)
		}
		if !problems.Failed() {
			evaluate(s)
		}
	})
}

// evaluate asks every text and condition of a sound spec for its value.
func evaluate(s *spec.Spec) {
	for _, pipeline := range s.Pipelines {
		for _, stage := range pipeline.Stages {
			if stage.Run != nil {
				_, _ = stage.Run.Value(spec.Facts{}) // an error is an answer
			}
		}
		for _, rollback := range pipeline.Rollbacks {
			_, _ = rollback.When.Holds(spec.Facts{Cancelled: true})
		}
	}
}
