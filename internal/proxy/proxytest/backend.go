package proxytest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// Backend is an application server that answers every request with its text.
// "/slow" takes 2 s to answer, "/held" until Release.
type Backend struct {
	Address value.Address
	server  *http.Server
	held    chan struct{}
}

// StartBackend starts a Backend on a free port of the loopback; it ends with
// the test.
func StartBackend(t testing.TB, text string) *Backend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return serve(t, listener, value.Address(listener.Addr().String()), text)
}

// StartSocketBackend starts a Backend on a unix socket.
func StartSocketBackend(t testing.TB, socket value.Path, text string) *Backend {
	t.Helper()
	listener, err := net.Listen("unix", string(socket))
	must(t, err)
	return serve(t, listener, value.Unix(socket), text)
}

func serve(t testing.TB, listener net.Listener, address value.Address, text string) *Backend {
	b := &Backend{Address: address, held: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			fmt.Fprint(w, text)
		}
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(2 * time.Second):
		case <-r.Context().Done():
		}
		fmt.Fprint(w, text)
	})
	mux.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-b.held:
		case <-r.Context().Done():
		}
		fmt.Fprint(w, text)
	})
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = b.server.Serve(listener) }()
	t.Cleanup(b.Stop)
	return b
}

// Release answers the requests for "/held"; it is called once.
func (b *Backend) Release() { close(b.held) }

// Stop closes the listener and every connection.
func (b *Backend) Stop() { _ = b.server.Close() }

// Get asks for url on a fresh connection and returns status and body.
func Get(url string) (status int, body string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}
