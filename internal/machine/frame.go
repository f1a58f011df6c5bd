package machine

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// protocolVersion is that of the frames below. Both ends must agree on it; how
// the greeting looks that carries it never changes.
const protocolVersion = 2

// Bounds of what a peer can make us hold, in bytes.
const (
	maxMessage = 64 << 20 // a request or a result; the largest holds a file's content
	maxChunk   = 32 << 10 // what one frame carries of a stream, so that others get their turn
)

type frameKind byte

const (
	frameHello  frameKind = 'h' // agent → client, first: a greeting
	frameCall   frameKind = 'c' // client → agent: a callHead
	frameCancel frameKind = 'x' // client → agent: nothing
	framePing   frameKind = 'p' // client → agent: nothing; the client lives
	frameData   frameKind = 'd' // both ways: the next bytes of a stream; none at its end
	frameRoom   frameKind = 'w' // both ways: room for so many bytes more, as four bytes
	frameResult frameKind = 'r' // agent → client, last of a call: the result
	frameError  frameKind = 'e' // agent → client, last of a call: a failure
)

// frame is one message. On the wire it is the length of Body as four bytes, the
// kind as one, the number of the call as four, then Body; the highest byte of a
// number first.
type frame struct {
	Kind frameKind
	Call uint32
	Body []byte
}

const headSize = 9

// greeting is the body of a hello.
type greeting struct {
	Version int           `json:"version"`            // of the protocol
	Turnout string        `json:"turnout,omitempty"`  // version of the program
	Lease   time.Duration `json:"lease_ns,omitempty"` // how soon the client has to be heard again; absent: DefaultLease
}

// callHead is the body of a call.
type callHead struct {
	Op      string          `json:"op"`
	Request json.RawMessage `json:"request"`
	Input   bool            `json:"input,omitempty"` // a stream to the agent follows
}

// message is a frame with a JSON body.
func message(kind frameKind, call uint32, body any) frame {
	text, err := json.Marshal(body)
	if err != nil {
		panic("machine: a message is plain data: " + err.Error())
	}
	return frame{Kind: kind, Call: call, Body: text}
}

func roomFor(call uint32, bytes int) frame {
	return frame{Kind: frameRoom, Call: call, Body: binary.BigEndian.AppendUint32(nil, uint32(bytes))}
}

// room is what a frameRoom grants, in bytes.
func (f frame) room() (int, error) {
	if len(f.Body) != 4 {
		return 0, fmt.Errorf("not a message of turnout's agent: room of %d bytes", len(f.Body))
	}
	return int(binary.BigEndian.Uint32(f.Body)), nil
}

// frameWriter writes frames one after the other, for several callers at once.
type frameWriter struct {
	mu     sync.Mutex
	w      io.Writer
	buffer []byte
}

func (fw *frameWriter) write(f frame) error {
	if len(f.Body) > maxMessage {
		return fmt.Errorf("a message of %d bytes is too large", len(f.Body))
	}
	fw.mu.Lock()
	defer fw.mu.Unlock()
	whole := binary.BigEndian.AppendUint32(fw.buffer[:0], uint32(len(f.Body)))
	whole = append(whole, byte(f.Kind))
	whole = binary.BigEndian.AppendUint32(whole, f.Call)
	whole = append(whole, f.Body...)
	if cap(whole) <= 2*maxChunk {
		fw.buffer = whole
	}
	_, err := fw.w.Write(whole)
	return err
}

// close closes what the frames are written to, between two of them.
func (fw *frameWriter) close(to io.Closer) error {
	fw.mu.Lock()
	defer fw.mu.Unlock()
	return to.Close()
}

func readFrame(r io.Reader) (frame, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	size, kind := binary.BigEndian.Uint32(head[:]), frameKind(head[4])
	if size > kind.most() {
		return frame{}, fmt.Errorf("not a message of turnout's agent: %q", head)
	}
	body, err := readBody(r, int(size))
	return frame{Kind: kind, Call: binary.BigEndian.Uint32(head[5:]), Body: body}, err
}

// readBody reads size bytes. A large body is only held as it comes: a size is
// quickly claimed.
func readBody(r io.Reader, size int) ([]byte, error) {
	if size <= maxChunk {
		body := make([]byte, size)
		_, err := io.ReadFull(r, body)
		if err == io.EOF && size > 0 {
			err = io.ErrUnexpectedEOF
		}
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err == nil && len(body) < size {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}

// most is the largest body of a kind, in bytes; of an unknown one not even none
// is taken.
func (k frameKind) most() uint32 {
	switch k {
	case frameCall, frameResult, frameError:
		return maxMessage
	case frameData:
		return maxChunk
	case frameHello, frameCancel, frameRoom:
		return 256
	}
	return 0
}
