package release_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/release"
)

// TestVacate removes a root of ours, finishes an interrupted removal, and leaves
// somebody else's folder alone.
func TestVacate(t *testing.T) {
	m := machine.NewLocal("here")
	defer m.Close()
	for name, test := range map[string]struct {
		has  []string
		says string
	}{
		"whole":       {[]string{"releases/20261125t200000z-00000000/a", "start.log"}, ""},
		"interrupted": {[]string{"releases/x"}, ""},
		"empty":       {nil, ""},
		"not ours":    {[]string{"etc/passwd"}, "was not made by turnout"},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			if err := os.Mkdir(root, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range test.has {
				path := filepath.Join(root, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := release.Vacate.On(t.Context(), m, root)
			_, gone := os.Stat(root)
			if test.says == "" && (err != nil || gone == nil) || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || gone != nil) {
				t.Errorf("vacate: %v, root: %v", err, gone)
			}
			if _, err := release.Vacate.On(t.Context(), m, root); test.says == "" && err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}
