package machine

import (
	"context"
	"errors"
	"io"
	"sync"
)

// window is how many bytes of a stream may be on their way or waiting for a slow
// reader. It is what SSH allows a channel (2 MiB in OpenSSH's channels.h), so
// that it is no brake of its own. A stream that has no room waits, and the others
// of its connection go on.
const window = 2 << 20

// inlet is the receiving end of a call's stream.
type inlet struct {
	grant func(bytes int) // tells the sender of room

	mu     sync.Mutex
	more   sync.Cond
	chunks [][]byte
	held   int
	read   int   // bytes taken out that the sender does not know of yet
	ended  error // io.EOF where the stream is whole
}

func newInlet(grant func(int)) *inlet {
	in := &inlet{grant: grant}
	in.more.L = &in.mu
	return in
}

// put adds what has come. It never waits.
func (in *inlet) put(p []byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.held+in.read+len(p) > window {
		return errors.New("not a message of turnout's agent: more of a stream than there is room for")
	}
	if in.ended == nil {
		in.chunks, in.held = append(in.chunks, p), in.held+len(p)
		in.more.Broadcast()
	}
	return nil
}

// end ends the stream; what has come can still be read.
func (in *inlet) end(why error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended == nil {
		in.ended = why
		in.more.Broadcast()
	}
}

// Read reads what has come, and waits where there is nothing.
func (in *inlet) Read(p []byte) (int, error) {
	n, room, err := in.next(p)
	if room > 0 {
		in.grant(room)
	}
	return n, err
}

func (in *inlet) next(p []byte) (n, room int, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.chunks) == 0 && in.ended == nil {
		in.more.Wait()
	}
	if len(in.chunks) == 0 {
		return 0, 0, in.ended
	}
	n = copy(p, in.chunks[0])
	if in.chunks[0] = in.chunks[0][n:]; len(in.chunks[0]) == 0 {
		in.chunks = in.chunks[1:]
	}
	in.held -= n
	if in.read += n; in.read >= window/4 && in.ended == nil {
		room, in.read = in.read, 0
	}
	return n, room, nil
}

// outlet is the sending end of a call's stream.
type outlet struct {
	to   *frameWriter
	call uint32

	mu      sync.Mutex
	changed sync.Cond
	room    int
	hurried error // why a full stream is not waited for
	closed  error // why nothing more is sent
}

func newOutlet(to *frameWriter, call uint32) *outlet {
	out := &outlet{to: to, call: call, room: window}
	out.changed.L = &out.mu
	return out
}

// Write sends p as there is room for it.
func (out *outlet) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, err := out.claim(min(len(p)-sent, maxChunk))
		if err != nil {
			return sent, err
		}
		if err := out.to.write(frame{Kind: frameData, Call: out.call, Body: p[sent : sent+n]}); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// claim waits for room and takes at most so many bytes of it.
func (out *outlet) claim(most int) (int, error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	for out.room == 0 && out.hurried == nil && out.closed == nil {
		out.changed.Wait()
	}
	if out.closed != nil {
		return 0, out.closed
	}
	if out.room == 0 {
		return 0, out.hurried
	}
	n := min(most, out.room)
	out.room -= n
	return n, nil
}

// widen adds room that the other end has told of.
func (out *outlet) widen(bytes int) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.room = min(window, out.room+bytes)
	out.changed.Broadcast()
}

// hurry lets a writer wait no more for an end that does not read: what ends is to
// end soon. What there is room for is still sent.
func (out *outlet) hurry(why error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.hurried = why
	out.changed.Broadcast()
}

// close has writers fail.
func (out *outlet) close(why error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.closed == nil {
		out.closed = why
		out.changed.Broadcast()
	}
}

// feed sends all that in has, and its end. An error of in cancels the call.
func (out *outlet) feed(in io.Reader, cancel context.CancelCauseFunc) {
	buffer := make([]byte, maxChunk)
	for {
		n, err := in.Read(buffer)
		if _, failed := out.Write(buffer[:n]); failed != nil {
			return // the call has ended
		}
		if err == io.EOF {
			_ = out.to.write(frame{Kind: frameData, Call: out.call}) // a lost connection is noticed by the call
			return
		}
		if err != nil {
			cancel(err)
			return
		}
	}
}

// nothing is a stream without a byte.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
