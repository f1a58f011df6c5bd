package proxy

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Connections counts the connections in use between the proxy and a slot; a
// drain has ended when there are none.
//
// HAProxy counts its own sessions, and those of workers that a reload left
// behind are read from the kernel, where we may look. For nginx all established
// connections of this machine to the slot's addresses are counted: connections
// of others count too, and an idle one for as long as nginx keeps it (1 s).
var Connections = machine.Op[Flow, Open]{Name: "proxy.connections", Do: countConnections}

func countConnections(ctx context.Context, _ machine.At, f Flow) (Open, error) {
	pool, ok := f.Site.pool(f.Slot)
	if !ok {
		return Open{}, fmt.Errorf("connections: %q is not a slot of %s", f.Slot, f.Site.Env)
	}
	if err := f.Site.validate(); err != nil {
		return Open{}, fmt.Errorf("connections: %w", err)
	}
	if f.Site.Balancer != nil {
		return Open{Uncounted: true}, nil
	}
	n, err := f.Site.dialect().open(ctx, f.Site, pool)
	if err != nil {
		return Open{}, fmt.Errorf("connections: %w", err)
	}
	return Open{Connections: n}, nil
}

// established counts the kernel's connections to the pool.
func established(_ context.Context, _ Site, pool Pool) (int, error) {
	sockets, err := connectionsToPool(pool)
	return len(sockets), err
}

func connectionsToPool(pool Pool) ([]socket, error) {
	var all []socket
	for _, address := range pool.Addresses {
		sockets, err := connectionsTo(address)
		if err != nil {
			return nil, err
		}
		all = append(all, sockets...)
	}
	return all, nil
}

// sessions counts HAProxy's sessions with the pool.
func sessions(ctx context.Context, s Site, pool Pool) (int, error) {
	rows, err := stats(ctx, s, pool.Slot)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(rows["BACKEND"]["scur"])
	if err != nil {
		return 0, fmt.Errorf("haproxy: show stat: scur is %q", rows["BACKEND"]["scur"])
	}
	left, err := leftBehind(ctx, s, pool)
	return n + left, err
}

// leftBehind counts what HAProxy workers from before a reload still have open:
// the running worker knows nothing of it.
func leftBehind(ctx context.Context, s Site, pool Pool) (int, error) {
	worker := haproxyWorker(ctx, s)
	old := haproxyProcesses(ctx, s)
	delete(old, worker)
	if len(old) == 0 || worker == 0 {
		return 0, nil
	}
	sockets, err := connectionsToPool(pool)
	if err != nil {
		return 0, err
	}
	n := 0
	for pid := range old {
		inodes := held(pid)
		for _, socket := range sockets {
			if inodes[socket.inode] {
				n++
			}
		}
	}
	return n, nil
}

// anyAnswers is nil once a server of the pool accepts a connection: nginx itself
// checks no server before it sends requests to it.
func anyAnswers(ctx context.Context, _ Site, pool Pool) error {
	var last error
	for _, address := range pool.Addresses {
		dialer := net.Dialer{Timeout: 2 * time.Second}
		network, target := address.Network()
		conn, err := dialer.DialContext(ctx, network, target)
		if err == nil {
			return conn.Close()
		}
		last = err
	}
	return fmt.Errorf("no server of slot %s accepts connections: %w", pool.Slot, last)
}
