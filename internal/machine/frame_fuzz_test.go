package machine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

func FuzzReadFrame(f *testing.F) {
	var sample bytes.Buffer
	w := &frameWriter{w: &sample}
	for _, each := range []frame{
		message(frameHello, 0, greeting{Version: protocolVersion}),
		message(frameCall, 1, callHead{Op: "test.count", Request: []byte(`{}`), Input: true}),
		{Kind: frameData, Call: 1, Body: []byte("data")}, {Kind: frameData, Call: 1},
		roomFor(1, window), {Kind: frameCancel, Call: 1}, {Kind: frameResult, Call: 1, Body: []byte(`0`)},
	} {
		if err := w.write(each); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(sample.Bytes())
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, noise []byte) {
		from := bytes.NewReader(noise)
		var again bytes.Buffer
		for {
			read, err := readFrame(from)
			if err != nil {
				break
			}
			if err := (&frameWriter{w: &again}).write(read); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(noise, again.Bytes()) {
			t.Errorf("read %q as %q", noise, again.Bytes())
		}
	})
}

// FuzzServe lets a client say anything: the agent neither panics nor hangs.
func FuzzServe(f *testing.F) {
	var sample bytes.Buffer
	w := &frameWriter{w: &sample}
	for _, each := range []frame{
		message(frameCall, 1, callHead{Op: "test.echo", Request: []byte(`{}`), Input: true}),
		{Kind: frameData, Call: 1, Body: []byte("data")}, roomFor(1, 1<<31), {Kind: frameData, Call: 1},
		message(frameCall, 2, callHead{Op: "test.echo", Request: []byte(`{}`)}), {Kind: frameCancel, Call: 2},
	} {
		if err := w.write(each); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(sample.Bytes())
	echo := Op[None, int64]{Name: "test.echo", Do: func(_ context.Context, at At, _ None) (int64, error) {
		return io.Copy(at.Out, at.In)
	}}
	f.Fuzz(func(_ *testing.T, noise []byte) {
		_ = Agent{Handlers: []Handler{Handle(echo)}}.Serve(context.Background(), bytes.NewReader(noise), io.Discard)
	})
}

func TestAPeerThatOversteppedItsRoomIsRefused(t *testing.T) {
	granted := 0
	in := newInlet(func(bytes int) { granted += bytes })
	chunk := make([]byte, maxChunk)
	for range window / maxChunk {
		if err := in.put(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.put([]byte{1}); err == nil {
		t.Error("one byte more is taken")
	}
	if _, err := io.CopyN(io.Discard, in, window); err != nil || granted != window {
		t.Errorf("granted %d, %v", granted, err)
	}
	in.end(errEnded)
	if _, err := in.Read(chunk); !errors.Is(err, errEnded) {
		t.Errorf("err = %v", err)
	}
}
