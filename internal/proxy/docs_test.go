package proxy

import (
	"os"
	"strings"
	"testing"
)

// TestCommandsAreDocumented holds the commands of nginx that docs/spec.md names as
// the defaults of check and reload. Those of HAProxy are found out from what runs.
func TestCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	site := Site{Kind: NGINX, Main: "<main>"}
	reload, err := site.dialect().reload(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	for attribute, command := range map[string]string{"check": site.dialect().check(t.Context(), site), "reload": reload} {
		row := "| `" + attribute + "` | default `" + strings.TrimPrefix(command, sbin+"exec ") + "` |"
		if !strings.Contains(string(text), "\n"+row) {
			t.Errorf("docs/spec.md has no %s", row)
		}
	}
}
