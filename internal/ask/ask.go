// Package ask asks one HTTP question over a connection of its own. Nothing is
// retried, redirected or reused: the answer is what a client without tricks
// would have seen.
package ask

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// TLS says whether a question is asked over HTTPS, and of whom.
type TLS string

const (
	Plain    TLS = ""         // no HTTPS
	Verified TLS = "verified" // the certificate must be good for the host
	// AnyCertificate is for a listener of this very machine: the address says who it
	// is, and a certificate that has run out, or is for another name, is for clients to judge.
	AnyCertificate TLS = "any"
)

// Question is a GET of one path.
type Question struct {
	Address value.Address
	Host    string // Host header; empty: the address, "localhost" for a unix socket
	Path    string // begins with "/"; no query
	Mark    string // name of a header that is "1"; empty: none
	TLS     TLS
	Limit   int64 // bytes of the body to keep; the rest is left unread
}

// Answer is a response. Took counts from before the connection was made until
// the last byte read.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration
}

// maxHeader bounds what is read of a response beside its body.
const maxHeader = 64 << 10

// HTTP asks q and reads the answer. The context bounds all of it. Errors say
// how far the exchange came: not connected, no answer, or broken off.
func HTTP(ctx context.Context, q Question) (Answer, error) {
	began := time.Now()
	conn, err := dial(ctx, q.Address)
	if err != nil {
		return Answer{}, fmt.Errorf("not connected: %w", explain(ctx, err, began))
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if q.TLS != Plain {
		secure := tls.Client(conn, &tls.Config{ServerName: q.serverName(), InsecureSkipVerify: q.TLS == AnyCertificate}) //nolint:gosec // see TLS
		if err := secure.HandshakeContext(ctx); err != nil {
			return Answer{}, fmt.Errorf("connected, but no TLS: %w", explain(ctx, err, began))
		}
		conn = secure
	}
	answer, err := exchange(conn, q)
	answer.Took = time.Since(began)
	switch {
	case err != nil && answer.Status == 0:
		err = fmt.Errorf("connected, but no answer: %w", explain(ctx, err, began))
	case err != nil:
		err = fmt.Errorf("status %d, then broken off: %w", answer.Status, explain(ctx, err, began))
	}
	return answer, err
}

// Connect makes a connection to address and closes it again.
func Connect(ctx context.Context, address value.Address) (time.Duration, error) {
	began := time.Now()
	conn, err := dial(ctx, address)
	if err != nil {
		return 0, fmt.Errorf("not connected: %w", explain(ctx, err, began))
	}
	return time.Since(began), conn.Close()
}

func dial(ctx context.Context, a value.Address) (net.Conn, error) {
	network, address := a.Network()
	return new(net.Dialer).DialContext(ctx, network, address)
}

func exchange(conn net.Conn, q Question) (Answer, error) {
	request := q.request()
	if err := request.Write(conn); err != nil {
		return Answer{}, err
	}
	response, err := final(bufio.NewReader(io.LimitReader(conn, q.Limit+maxHeader)), request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	answer := Answer{Status: response.StatusCode, Header: response.Header}
	answer.Body, err = io.ReadAll(io.LimitReader(response.Body, q.Limit))
	return answer, err
}

func (q Question) host() string {
	network, address := q.Address.Network()
	switch {
	case q.Host != "":
		return q.Host
	case network == "unix":
		return "localhost"
	}
	return address
}

// serverName is the host that the certificate has to be good for.
func (q Question) serverName() string {
	if name, _, err := net.SplitHostPort(q.host()); err == nil {
		return name
	}
	return q.host()
}

func (q Question) request() *http.Request {
	header := http.Header{"User-Agent": {"turnout"}}
	if q.Mark != "" {
		header.Set(q.Mark, "1")
	}
	return &http.Request{Method: http.MethodGet, URL: &url.URL{Path: q.Path}, Host: q.host(), Header: header, Close: true}
}

// final is the first response that is not merely informational (RFC 9110,
// 15.2).
func final(r *bufio.Reader, request *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(r, request)
		if err != nil || response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return response, err
		}
	}
}

// explain words an error of the connection for a person.
func explain(ctx context.Context, err error, began time.Time) error {
	var late net.Error
	switch {
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return context.Cause(ctx)
	case ctx.Err() != nil, errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("nothing within %s", Allowed(ctx, began))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the connection was closed without a whole answer")
	}
	for _, known := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOENT} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// Allowed is the time ctx gave what began then. Unlike the time that passed, it
// is the same at each try, and messages made of it can be compared.
func Allowed(ctx context.Context, began time.Time) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline.Sub(began).Round(10 * time.Millisecond)
	}
	return time.Since(began).Round(10 * time.Millisecond)
}
