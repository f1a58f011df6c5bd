package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Handler is an operation that an agent performs for others; Handle makes one.
type Handler struct {
	name string
	do   func(ctx context.Context, at At, request []byte) ([]byte, error)
}

// Handle makes op one that an agent performs.
func Handle[Req, Res any](op Op[Req, Res]) Handler {
	return Handler{name: op.Name, do: func(ctx context.Context, at At, encoded []byte) ([]byte, error) {
		var request Req
		if err := json.Unmarshal(encoded, &request); err != nil {
			return nil, fmt.Errorf("%s: request: %w", op.Name, err)
		}
		result, err := op.Do(ctx, at, request)
		if err != nil {
			return nil, err
		}
		encoded, err = json.Marshal(result)
		if err != nil {
			panic(fmt.Sprintf("machine: result of %s does not survive JSON: %v", op.Name, err))
		}
		return encoded, nil
	}}
}

// Serve performs the given operations for the client at the other end of in and
// out, several at once, until in ends, or ctx does, or the client has said nothing
// for the lease. Then everything that runs is ended and what the session keeps is
// let go: a client that was killed leaves neither processes nor locks behind.
//
// The process must ignore SIGPIPE (signal.Ignore), or writing to a client that
// has gone would end it first.
func Serve(ctx context.Context, in io.Reader, out io.Writer, handlers ...Handler) error {
	ctx, renew, cancel := startLease(ctx)
	defer cancel()
	defer outlivePipe()()
	s := &server{
		out: &frameWriter{w: out}, session: NewSession(), heard: renew,
		handlers: make(map[string]Handler), running: make(map[uint64]context.CancelFunc),
	}
	for _, h := range handlers {
		s.handlers[h.name] = h
	}
	ended := make(chan error, 1)
	go func() { ended <- s.listen(ctx, in) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done(): // listen stays behind until in ends
	}
	var late <-chan time.Time // never
	if errors.Is(context.Cause(ctx), errSilent) {
		err, late = errSilent, time.After(afterLease)
	}
	cancel()
	return errors.Join(err, s.close(late))
}

// outlivePipe keeps a write to a client that has gone from ending the process
// before it has cleaned up. A handled signal, unlike an ignored one, is not
// passed on to commands.
func outlivePipe() (restore func()) {
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE)
	return func() { signal.Stop(unread) }
}

// server is the agent's side of a connection.
type server struct {
	out      *frameWriter
	session  *Session
	handlers map[string]Handler
	heard    func() // the client lives

	mu      sync.Mutex
	closed  bool
	running map[uint64]context.CancelFunc
	calls   sync.WaitGroup
}

func (s *server) listen(ctx context.Context, in io.Reader) error {
	if err := s.out.write(frame{Kind: frameHello, Version: protocolVersion}); err != nil {
		return fmt.Errorf("agent: greet: %w", err)
	}
	for {
		f, err := readFrame(in)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil // the client has gone
		}
		if err != nil {
			return fmt.Errorf("agent: read: %w", err)
		}
		s.heard()
		switch f.Kind {
		case framePing:
		case frameCall:
			s.start(ctx, f)
		case frameCancel:
			s.cancel(f.Call)
		default:
			return fmt.Errorf("agent: read: a message of kind %q, which a client never sends", f.Kind)
		}
	}
}

// start performs a call beside the others.
func (s *server) start(ctx context.Context, f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	s.running[f.Call] = cancel
	s.calls.Go(func() {
		defer s.cancel(f.Call)
		_ = s.out.write(s.answer(ctx, f)) // a client that has gone is noticed by listen
	})
}

func (s *server) answer(ctx context.Context, f frame) frame {
	handler, known := s.handlers[f.Op]
	if !known {
		unknown := fmt.Errorf("%s: this agent does not know the operation", f.Op)
		return frame{Kind: frameError, Call: f.Call, Failure: newFailure(unknown)}
	}
	at := At{Session: s.session, Out: &callOutput{out: s.out, call: f.Call}}
	result, err := handler.do(ctx, at, f.Body)
	if err != nil {
		return frame{Kind: frameError, Call: f.Call, Failure: newFailure(err)}
	}
	return frame{Kind: frameResult, Call: f.Call, Body: result}
}

// cancel ends a call; one that has ended already is no matter.
func (s *server) cancel(call uint64) {
	s.mu.Lock()
	cancel := s.running[call]
	delete(s.running, call)
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// close waits for the calls, whose context has ended, at most until late, and
// closes the session.
func (s *server) close(late <-chan time.Time) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.calls.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-late:
	}
	return s.session.Close()
}

// callOutput is the stream of one call.
type callOutput struct {
	out  *frameWriter
	call uint64
}

func (c *callOutput) Write(p []byte) (int, error) {
	if err := c.out.write(frame{Kind: frameOutput, Call: c.call, Data: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}
