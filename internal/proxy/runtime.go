package proxy

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// command sends one command to HAProxy's stats socket and returns the answer
// without the empty line that ends it. Every value in line must be on an
// allow-list: a ";" or a newline would run a second command.
func command(ctx context.Context, socket value.Path, line string) (string, error) {
	if socket == "" {
		return "", errors.New(`haproxy: no stats socket is named: set "socket" to the path of a "stats socket … level admin" of the global section`)
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", string(socket))
	if err != nil {
		return "", fmt.Errorf("haproxy: stats socket %s: %w", socket, unreachable(err))
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a socket that takes none is closed, and Write says so
	}
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", fmt.Errorf("haproxy: stats socket %s: %w", socket, unreachable(err))
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("haproxy: stats socket %s: %w", socket, unreachable(err))
	}
	text := strings.TrimSpace(string(answer))
	if strings.HasPrefix(text, "Permission denied") {
		return "", fmt.Errorf(`haproxy: stats socket %s: permission denied: it needs "level admin"`, socket)
	}
	return text, nil
}

// unreachable says what the errors of connecting to a socket mean.
func unreachable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("is not there: is HAProxy running, and does its global section name this stats socket?")
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return errors.New("nobody listens: HAProxy is not running")
	}
	return err
}

// stat is a row of "show stat".
type stat map[string]string

// stats are the rows of one backend: its servers and, as "BACKEND", the sum.
func stats(ctx context.Context, s Site, slot value.Name) (map[string]stat, error) {
	backend := fmt.Sprintf("%s_%s", s.Env, slot)
	answer, err := command(ctx, s.Socket, "show stat "+backend+" 6 -1") // 2 backends + 4 servers
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(answer, "# "))).ReadAll()
	if err != nil || len(rows) < 2 {
		return nil, fmt.Errorf("haproxy: no backend %s in the running HAProxy: is %s loaded? (show stat: %.80q)", backend, s.Config, answer)
	}
	found := make(map[string]stat)
	for _, row := range rows[1:] {
		one := make(stat)
		for i, column := range rows[0] {
			one[column] = row[i]
		}
		found[one["svname"]] = one
	}
	return found, nil
}

// up reports whether a server takes requests because a check has passed. A
// server is UP before its first check, hence the look at the check's result.
func (s stat) up() bool {
	checked := strings.TrimPrefix(s["check_status"], "* ")
	return s["status"] == "no check" ||
		strings.HasPrefix(s["status"], "UP") && (strings.HasSuffix(checked, "OK") || strings.HasSuffix(checked, "OKC"))
}

// A pool is ready when all its servers are up, or, after allUp, when one is.
const (
	allUp = 2 * time.Second
	oneUp = 6 * time.Second
)

// awaitUp waits until HAProxy's own checks let it send requests to the pool. They
// run once a second, so a server that has just died is looked for here.
func awaitUp(ctx context.Context, s Site, pool Pool) error {
	if err := anyAnswers(ctx, s, pool); err != nil {
		return err
	}
	began := time.Now()
	for {
		rows, err := stats(ctx, s, pool.Slot)
		if err != nil {
			return err
		}
		up, down := countUp(rows)
		waited := time.Since(began)
		if down == "" || up > 0 && waited > allUp {
			return nil
		}
		if waited > oneUp {
			return fmt.Errorf("haproxy: no server of slot %s is up: %s", pool.Slot, down)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// countUp counts the servers that are up and describes the last that is not.
func countUp(rows map[string]stat) (up int, down string) {
	for name, row := range rows {
		switch {
		case name == "BACKEND":
		case row.up():
			up++
		default:
			down = strings.TrimSpace(fmt.Sprintf("%s (%s) is %s, %s %s", name, row["addr"], row["status"], row["check_status"], row["last_chk"]))
		}
	}
	return up, down
}
