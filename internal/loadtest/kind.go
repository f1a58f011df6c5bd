package loadtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Kind is a way to use HTTP, and how many clients do so at once. Each client
// sends its next request Pause after it has read the last answer.
type Kind struct {
	Name    string
	Clients int
	Pause   time.Duration

	method string
	path   string
	send   func(w io.Writer, host string) error
	reuse  reuse
}

// reuse says what a client does with the connection of its last request.
type reuse int

const (
	never reuse = iota
	look        // reuse it unless the server has closed it meanwhile, as every real client does
	blind       // reuse it without looking
)

// KeepAlive is GETs on a connection that is kept.
func KeepAlive(clients int, pause time.Duration) Kind {
	return get("keep-alive", "/", look, clients, pause)
}

// Naive is GETs on a connection that is kept, by a client that does not look
// whether the server has closed it: the worst case of a reload.
func Naive(clients int, pause time.Duration) Kind {
	return get("naive keep-alive", "/", blind, clients, pause)
}

// Fresh is GETs on a new connection each.
func Fresh(clients int, pause time.Duration) Kind {
	return get("fresh connection", "/", never, clients, pause)
}

// Slow is GETs that are answered after SlowTime.
func Slow(clients int) Kind { return get("5 s response", "/slow", look, clients, 0) }

// Stream is GETs answered in chunks over 5 s.
func Stream(clients int) Kind { return get("5 s stream", "/stream", look, clients, 0) }

// Post is POSTs of 64 KiB on a connection that is kept.
func Post(clients int, pause time.Duration) Kind {
	body := bytes.Repeat([]byte("x"), 64<<10)
	return Kind{
		Name: "POST 64 KiB", Clients: clients, Pause: pause, method: http.MethodPost, path: "/upload", reuse: look,
		send: func(w io.Writer, host string) error { return post(w, host, len(body), [][]byte{body}, 0) },
	}
}

// Upload is POSTs of 2 MB sent over about 1 s.
func Upload(clients int) Kind {
	const pieces, size = 40, 50_000
	body := make([][]byte, pieces)
	for i := range body {
		body[i] = bytes.Repeat([]byte("x"), size)
	}
	return Kind{
		Name: "slow POST 2 MB", Clients: clients, method: http.MethodPost, path: "/upload", reuse: look,
		send: func(w io.Writer, host string) error { return post(w, host, pieces*size, body, time.Second/pieces) },
	}
}

func get(name, path string, how reuse, clients int, pause time.Duration) Kind {
	k := Kind{Name: name, Clients: clients, Pause: pause, method: http.MethodGet, path: path, reuse: how}
	k.send = func(w io.Writer, host string) error {
		connection := "keep-alive"
		if how == never {
			connection = "close"
		}
		_, err := fmt.Fprintf(w, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\n\r\n", path, host, connection)
		return err
	}
	return k
}

// post sends a body in pieces, each apart from the one before.
func post(w io.Writer, host string, length int, pieces [][]byte, apart time.Duration) error {
	head := fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", host, length)
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	for _, piece := range pieces {
		if _, err := w.Write(piece); err != nil {
			return err
		}
		if apart > 0 {
			time.Sleep(apart)
		}
	}
	return nil
}
