package proxytest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/org/deploy-action/internal/value"
)

// Ports are chosen below those that Linux gives to outgoing connections
// (net.ipv4.ip_local_port_range begins at 32768): a client must not get the port
// of a server that is about to start.
const lowestPort, highestPort = 10000, 30000

// handedOut has the ports that this process has been given already.
var handedOut sync.Map

// FreePort is a port that nobody listens on, another one at each call.
func FreePort(t testing.TB) value.Port {
	t.Helper()
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if _, taken := handedOut.LoadOrStore(port, true); !taken && free(port) {
			return value.Port(port)
		}
	}
	t.Fatal("no free port in 1000 tries")
	return 0
}

// free also holds for addresses other than the loopback's.
func free(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	return err == nil && listener.Close() == nil
}
