package machine

import (
	"bufio"
	"cmp"
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

// Agent performs operations for a client.
type Agent struct {
	Version  string        // of turnout; the greeting has it
	Lease    time.Duration // how long the client may be silent; 0: DefaultLease
	Handlers []Handler
	Session  *Session // nil: one that keeps nothing yet
}

// Serve performs the agent's operations for the client at the other end of in and
// out, several at once, until in ends, or ctx does, or the client has said nothing
// for the lease. Then everything that runs is ended and what the session keeps is
// let go: a client that was killed leaves neither processes nor locks behind.
//
// The process must ignore SIGPIPE (signal.Ignore), or writing to a client that
// has gone would end it first.
func (a Agent) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	lease := cmp.Or(a.Lease, DefaultLease)
	ctx, renew, cancel := startLease(ctx, lease)
	defer cancel()
	defer outlivePipe()()
	s := &server{
		version: a.Version, lease: lease, out: &frameWriter{w: out}, session: cmp.Or(a.Session, NewSession()),
		handlers: make(map[string]Handler), running: make(map[uint32]*performance),
	}
	for _, h := range a.Handlers {
		s.handlers[h.name] = h
	}
	s.session.hear()
	heard := func() { renew(); s.session.hear() }
	ended := make(chan error, 1)
	go func() { ended <- s.listen(ctx, &renewing{in, heard}) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done(): // listen stays behind until in ends
	}
	var silent *silentError
	if errors.As(context.Cause(ctx), &silent) {
		err = silent
	}
	cancel()
	return errors.Join(err, s.close())
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
	version  string
	lease    time.Duration
	out      *frameWriter
	session  *Session
	handlers map[string]Handler

	mu      sync.Mutex
	closed  bool
	running map[uint32]*performance
	calls   sync.WaitGroup // what is performed
	answers sync.WaitGroup // what is performed or answered: a client that sleeps reads no answer
}

// performance is a call under way.
type performance struct {
	cancel context.CancelFunc
	input  *inlet
	output *outlet
}

func (s *server) listen(ctx context.Context, from io.Reader) error {
	if err := s.out.write(message(frameHello, 0, greeting{Version: protocolVersion, Turnout: s.version, Lease: s.lease})); err != nil {
		return fmt.Errorf("agent: greet: %w", err)
	}
	in := bufio.NewReaderSize(from, 2*maxChunk)
	for {
		f, err := readFrame(in)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil // the client has gone
		}
		if err == nil {
			err = s.take(ctx, f)
		}
		if err != nil {
			return fmt.Errorf("agent: read: %w", err)
		}
	}
}

// take does what a frame asks for; it never waits. What is for a call that has
// ended is no matter.
func (s *server) take(ctx context.Context, f frame) error {
	s.mu.Lock()
	p := s.running[f.Call]
	s.mu.Unlock()
	switch {
	case f.Kind == frameCall && p == nil:
		return s.start(ctx, f)
	case f.Kind == framePing: // it was read: that is all
	case f.Kind == frameCancel:
		if p != nil {
			p.cancel()
		}
	case f.Kind == frameRoom:
		bytes, err := f.room()
		if p != nil {
			p.output.widen(bytes)
		}
		return err
	case f.Kind == frameData:
		return p.receive(f.Body)
	default:
		return fmt.Errorf("not a message of turnout's client: %q out of place", f.Kind)
	}
	return nil
}

func (p *performance) receive(data []byte) error {
	switch {
	case p == nil:
		return nil
	case len(data) == 0:
		p.input.end(io.EOF)
		return nil
	}
	return p.input.put(data)
}

// start performs a call beside the others.
func (s *server) start(ctx context.Context, f frame) error {
	var head callHead
	if err := json.Unmarshal(f.Body, &head); err != nil {
		return fmt.Errorf("not a message of turnout's client: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	ctx, p := s.perform(ctx, f.Call)
	if !head.Input {
		p.input.end(io.EOF)
	}
	s.running[f.Call] = p
	s.calls.Add(1)
	s.answers.Go(func() {
		last := s.answer(ctx, p, head)
		p.output.close(errEnded)
		p.cancel()
		s.calls.Done()
		s.mu.Lock()
		delete(s.running, f.Call)
		s.mu.Unlock()
		last.Call = f.Call
		_ = s.out.write(last) // a client that has gone is noticed by listen
	})
	return nil
}

// perform prepares a call whose streams end when its context does.
func (s *server) perform(ctx context.Context, call uint32) (context.Context, *performance) {
	ctx, cancel := context.WithCancel(ctx)
	p := &performance{cancel: cancel, output: newOutlet(s.out, call)}
	p.input = newInlet(func(bytes int) { _ = s.out.write(roomFor(call, bytes)) })
	context.AfterFunc(ctx, func() {
		p.input.end(ctx.Err())
		p.output.hurry(ctx.Err())
	})
	return ctx, p
}

func (s *server) answer(ctx context.Context, p *performance, head callHead) frame {
	handler, known := s.handlers[head.Op]
	if !known {
		unknown := fmt.Errorf("%s: this agent does not know the operation", head.Op)
		return message(frameError, 0, newFailure(unknown))
	}
	result, err := handler.do(ctx, At{Session: s.session, In: p.input, Out: p.output}, head.Request)
	if err == nil && len(result) > maxMessage {
		err = fmt.Errorf("%s: a result of %d bytes is too large", head.Op, len(result))
	}
	if err != nil {
		return message(frameError, 0, newFailure(err))
	}
	return frame{Kind: frameResult, Body: result}
}

// close waits for the calls, whose context has ended, and closes the session. What
// the session keeps stays kept where a call does not end: a lock must not be free
// while anything is done under it, and ends with the process.
func (s *server) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	late := time.After(afterLease)
	if !waited(&s.calls, late) {
		return fmt.Errorf("agent: a call did not end within %s", afterLease)
	}
	err := s.session.Close()
	waited(&s.answers, late)
	return err
}

// waited reports whether the group was done before it was late.
func waited(group *sync.WaitGroup, late <-chan time.Time) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-late:
		return false
	}
}
