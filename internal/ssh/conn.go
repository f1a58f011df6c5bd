package ssh

import (
	"net"
	"sync/atomic"
	"time"
)

// silence is how long a peer may say nothing before it counts as gone. Keepalives
// ask it to speak in between.
const (
	silence        = 12 * time.Second
	keepaliveEvery = 5 * time.Second
	lookEvery      = time.Second
)

// heard is a connection that knows when it was last heard of.
type heard struct {
	net.Conn
	last atomic.Int64 // Unix time in nanoseconds
	tcp  *net.TCPConn // nil through a jump host
}

func listenTo(conn net.Conn) *heard {
	h := &heard{Conn: conn}
	h.last.Store(time.Now().UnixNano())
	if tcp, ok := conn.(*net.TCPConn); ok {
		h.tcp = tcp
		// what was sent and is not acknowledged counts as silence as well
		h.option(limitSilence)
	}
	return h
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if n > 0 {
		h.last.Store(time.Now().UnixNano())
	}
	h.option(acknowledgeNow) // has to be asked for again after each read
	return n, err
}

// option sets an option of TCP. Without it everything works, only later.
func (h *heard) option(set func(fd int) error) {
	if h.tcp == nil {
		return
	}
	if raw, err := h.tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = set(int(fd)) })
	}
}

// quiet is how long nothing was heard.
func (h *heard) quiet() time.Duration { return time.Since(time.Unix(0, h.last.Load())) }
