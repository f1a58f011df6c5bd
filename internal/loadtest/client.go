package loadtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// patience bounds one request, the slow ones included.
const patience = 30 * time.Second

// client sends one request after the other.
type client struct {
	kind    Kind
	address value.Address
	host    string
	conn    net.Conn // nil: none is kept
	reader  *bufio.Reader
}

// run asks until ctx ends; a request under way is finished.
func (c *client) run(ctx context.Context, note func(Request)) {
	defer c.drop()
	for ctx.Err() == nil {
		note(c.request())
		select {
		case <-ctx.Done():
		case <-time.After(c.kind.Pause):
		}
	}
}

// request sends one request, and has it fail when anything goes wrong.
func (c *client) request() Request {
	r := Request{Kind: c.kind.Name, Start: time.Now()}
	err := c.connect()
	if err == nil {
		err = c.exchange(&r)
	}
	r.Took = time.Since(r.Start)
	if err != nil {
		r.Error = err.Error()
		c.drop()
	}
	return r
}

func (c *client) connect() error {
	if c.conn != nil && (c.kind.reuse == never || c.kind.reuse == look && stale(c.conn)) {
		c.drop()
	}
	if c.conn != nil {
		return nil
	}
	network, address := c.address.Network()
	conn, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return err
	}
	c.conn, c.reader = conn, bufio.NewReader(conn)
	return nil
}

func (c *client) exchange(r *Request) error {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	// A server may answer before it has read everything: the answer counts.
	sent := c.kind.send(c.conn, c.host)
	response, err := http.ReadResponse(c.reader, &http.Request{Method: c.kind.method})
	if err != nil {
		return errors.Join(err, sent)
	}
	defer response.Body.Close()
	r.Status, r.Slot, r.Release = response.StatusCode, response.Header.Get(SlotHeader), response.Header.Get(ReleaseHeader)
	r.Arrived = arrived(response.Header)
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("status %d, then %w", r.Status, err)
	}
	if response.Close || sent != nil {
		c.drop()
	}
	if r.Status != http.StatusOK {
		return fmt.Errorf("status %d", r.Status)
	}
	return sent
}

func (c *client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func arrived(header http.Header) time.Time {
	ns, err := strconv.ParseInt(header.Get(ArrivedHeader), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// stale reports whether the server has closed conn, or said something unasked.
func stale(conn net.Conn) bool {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err != nil || !quiet
}
