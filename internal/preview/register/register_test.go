package register

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLeases gives nobody a port that is another's, though nobody listens there, or
// on which somebody listens, and none at all while a record can't be read.
func TestLeases(t *testing.T) {
	t.Parallel()
	const from = 32700 // below those of outgoing connections, and no other test's
	l := Leasing{Dir: t.TempDir(), Max: 9}
	l.Ports[0], l.Ports[1] = from, from+4
	for i, address := range []string{"127.0.0.1", "0.0.0.0", "127.0.0.2"} { // of others
		listener, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", address, from+i))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
	}
	l.Record.Name, l.Record.Number = "shop-pr-1", 1
	one, err := l.do()
	if err != nil || one.Port != from+3 {
		t.Fatalf("leased %d, %v; others listen on the first 3 from %d", one.Port, err, from)
	}
	if again, err := l.do(); err != nil || again.Port != one.Port {
		t.Errorf("leased %d, then %d, %v", one.Port, again.Port, err)
	}
	l.Record.Name, l.Record.Number = "shop-pr-2", 2
	two, err := l.do()
	if err != nil || two.Port == one.Port {
		t.Errorf("both have port %d, %v", two.Port, err)
	}
	l.Record.Name, l.Record.Number = "shop-pr-3", 3
	if _, err := l.do(); err == nil || !strings.Contains(err.Error(), "2 are leased") {
		t.Errorf("a third one of five ports, on which others listen: %v", err)
	}
	if err := os.WriteFile(filepath.Join(l.Dir, "records", "shop-pr-4.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.do(); err == nil || !strings.Contains(err.Error(), "shop-pr-4.json") {
		t.Errorf("a record that can't be read: %v", err)
	}
}
