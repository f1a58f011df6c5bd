package main

import (
	"io"
	"net"
	"sync/atomic"
)

// counter listens where bytes are counted on their way to a server and back.
type counter struct {
	net.Listener
	bytes *atomic.Int64
}

// count counts what goes from a port of an address to another one, and back.
func count(address, from, to string, bytes *atomic.Int64) (*counter, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, from))
	if err != nil {
		return nil, err
	}
	c := &counter{listener, bytes}
	go func() {
		for {
			client, err := c.Accept()
			if err != nil {
				return
			}
			go c.relay(client, net.JoinHostPort(address, to))
		}
	}()
	return c, nil
}

func (c *counter) relay(client net.Conn, to string) {
	server, err := net.Dial("tcp", to)
	if err != nil {
		client.Close()
		return
	}
	copyAll := func(to, from net.Conn) {
		_, _ = io.Copy(io.MultiWriter(to, c), from) // an end is an end
		to.Close()
	}
	go copyAll(server, client)
	copyAll(client, server)
}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return len(p), nil
}
