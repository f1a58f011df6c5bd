package machine

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// protocolVersion is that of the frames below. Both ends must agree on it.
const protocolVersion = 1

// maxFrame bounds what a peer can make us hold, in bytes. The largest frame is
// the manifest of a release: some 200 bytes a file.
const maxFrame = 256 << 20

type frameKind string

const (
	frameHello  frameKind = "hello"  // agent → client, first: Version
	frameCall   frameKind = "call"   // client → agent: Call, Op, Body
	frameCancel frameKind = "cancel" // client → agent: Call
	framePing   frameKind = "ping"   // client → agent: the client lives
	frameOutput frameKind = "output" // agent → client: Call, Data
	frameResult frameKind = "result" // agent → client, last of a call: Call, Body
	frameError  frameKind = "error"  // agent → client, last of a call: Call, Failure
)

// frame is one message. On the wire it is JSON, after its length as four bytes,
// the highest first.
type frame struct {
	Kind    frameKind       `json:"kind"`
	Version int             `json:"version,omitempty"`
	Call    uint64          `json:"call,omitempty"`
	Op      string          `json:"op,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
	Data    []byte          `json:"data,omitempty"`
	Failure *failure        `json:"failure,omitempty"`
}

// frameWriter writes frames one after the other, for several callers at once.
type frameWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (fw *frameWriter) write(f frame) error {
	text, err := json.Marshal(f)
	if err != nil {
		panic("machine: a frame is plain data: " + err.Error())
	}
	if len(text) > maxFrame {
		return fmt.Errorf("a message of %d bytes is too large", len(text))
	}
	whole := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(text)), uint32(len(text)))
	fw.mu.Lock()
	defer fw.mu.Unlock()
	_, err = fw.w.Write(append(whole, text...))
	return err
}

// close closes what the frames are written to, between two of them.
func (fw *frameWriter) close(to io.Closer) error {
	fw.mu.Lock()
	defer fw.mu.Unlock()
	return to.Close()
}

func readFrame(r io.Reader) (frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return frame{}, fmt.Errorf("not a message of turnout's agent: %q", head)
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err == nil && len(text) < int(size) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return frame{}, err
	}
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		return frame{}, fmt.Errorf("not a message of turnout's agent: %w", err)
	}
	return f, nil
}
