package ask_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/value"
)

// serve answers each connection on listener with script.
func serve(t *testing.T, listener net.Listener, script func(net.Conn)) value.Address {
	t.Helper()
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				script(conn)
			}()
		}
	}()
	if listener.Addr().Network() == "unix" {
		return value.Address("unix:" + listener.Addr().String())
	}
	return value.Address(listener.Addr().String())
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// says reads the head of a request, then writes text.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		readHead(conn)
		io.WriteString(conn, text)
	}
}

func readHead(conn net.Conn) string {
	var head []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); head = append(head, b[0]) {
		if _, err := conn.Read(b); err != nil {
			break
		}
	}
	return string(head)
}

func TestHTTP(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	reset := func(conn net.Conn) {
		readHead(conn)
		conn.(*net.TCPConn).SetLinger(0)
	}
	for _, test := range []struct {
		name   string
		script func(net.Conn)
		status int
		body   string
		err    string // empty: none
	}{
		{"answers", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 200, "ok", ""},
		{"until the end", says("HTTP/1.1 503 No\r\n\r\nwait"), 503, "wait", ""},
		{"chunked", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), 200, "ok", ""},
		{"early hints first", says("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), 204, "", ""},
		{"redirect is an answer", says("HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"), 302, "", ""},
		{"body past the limit is left", says("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 64)), 200, strings.Repeat("x", 16), ""},
		{"hangs", func(net.Conn) { <-hang }, 0, "", "connected, but no answer: nothing within 1s"},
		{"hangs within the body", func(c net.Conn) { says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")(c); <-hang }, 200, "ok", "status 200, then broken off: nothing within 1s"},
		{"resets", reset, 0, "", "connected, but no answer: connection reset by peer"},
		{"closes", says(""), 0, "", "connected, but no answer: the connection was closed without a whole answer"},
		{"stops within the body", says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), 200, "ok", "status 200, then broken off: the connection was closed"},
		{"not HTTP", says("SSH-2.0-OpenSSH_9.2\r\n"), 0, "", "malformed HTTP"},
		{"endless header", func(c net.Conn) {
			says("HTTP/1.1 200 OK\r\n")(c)
			for _, err := io.WriteString(c, "A: "+strings.Repeat("a", 4<<10)+"\r\n"); err == nil; _, err = io.WriteString(c, "A: a\r\n") {
			}
		}, 0, "", "no answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			patience := time.Minute
			if strings.Contains(test.err, "nothing within") {
				patience = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			answer, err := ask.HTTP(ctx, ask.Question{Address: serve(t, listen(t), test.script), Path: "/", Limit: 16})
			if answer.Status != test.status || string(answer.Body) != test.body {
				t.Errorf("got %d %q, want %d %q", answer.Status, answer.Body, test.status, test.body)
			}
			switch {
			case test.err == "" && err != nil:
				t.Errorf("error %v", err)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

func TestHTTPRefused(t *testing.T) {
	listener := listen(t)
	listener.Close()
	_, err := ask.HTTP(t.Context(), ask.Question{Address: value.Address(listener.Addr().String()), Path: "/"})
	if err == nil || err.Error() != "not connected: connection refused" {
		t.Errorf("error %v", err)
	}
	_, err = ask.Connect(t.Context(), "unix:/no/such.sock")
	if err == nil || err.Error() != "not connected: no such file or directory" {
		t.Errorf("error %v", err)
	}
}

func TestHTTPCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("told to stop")
	address := serve(t, listen(t), func(conn net.Conn) {
		readHead(conn)
		cancel(cause)
		readHead(conn)
	})
	if _, err := ask.HTTP(ctx, ask.Question{Address: address, Path: "/"}); !errors.Is(err, cause) {
		t.Errorf("error %v, want the cause of the context", err)
	}
}

func TestHTTPRequest(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		listener net.Listener
		host     string
		want     string
	}{
		{"host given", listen(t), "shop.example.com", "shop.example.com"},
		{"unix socket", socket, "", "localhost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			heads := make(chan string, 1)
			address := serve(t, test.listener, func(conn net.Conn) {
				heads <- readHead(conn)
				io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			})
			if _, err := ask.HTTP(t.Context(), ask.Question{Address: address, Host: test.host, Path: "/up"}); err != nil {
				t.Fatal(err)
			}
			want := "GET /up HTTP/1.1\r\nHost: " + test.want + "\r\nUser-Agent: turnout\r\nConnection: close\r\n\r\n"
			if head := <-heads; head != want {
				t.Errorf("request %q, want %q", head, want)
			}
		})
	}
}
