package proxy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// The rest of the tests may run as root. Deploys need not.
func TestAsAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user already")
	}
	proxytest.Need(t, "setpriv")
	program := copyOfTests(t)
	cmd := exec.CommandContext(t.Context(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		program, "-test.run", "^(TestSelectMoves|TestVerifyLeaves|TestVerifyWhere|TestRestoreTakes|TestShareOfTheFirst)", "-test.v")
	cmd.Dir = "/"
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: TestVerifyLeavesTheTreeAsItIs/nginx") {
		t.Errorf("%v\n%s", err, output)
	}
}

// copyOfTests is this test program where everyone may run it.
func copyOfTests(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	dir, err := os.MkdirTemp("/tmp", "t")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	data, err := os.ReadFile(self)
	must(t, err)
	program := filepath.Join(dir, "proxy.test")
	must(t, os.WriteFile(program, data, 0o755))
	return program
}
