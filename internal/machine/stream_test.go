package machine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/machine"
)

var (
	echo = machine.Op[machine.None, int64]{Name: "test.echo", Do: func(_ context.Context, at machine.At, _ machine.None) (int64, error) {
		return io.Copy(at.Out, at.In)
	}}
	count = machine.Op[machine.None, int64]{Name: "test.count", Do: func(_ context.Context, at machine.At, _ machine.None) (int64, error) {
		return io.Copy(io.Discard, at.In)
	}}
	deaf = machine.Op[string, string]{Name: "test.deaf", Do: func(_ context.Context, _ machine.At, text string) (string, error) {
		return text, nil
	}}
)

// everywhere runs a test here and at the other end of an agent.
func everywhere(t *testing.T, test func(t *testing.T, m machine.Machine)) {
	t.Run("here", func(t *testing.T) { test(t, machine.NewLocal("here")) })
	t.Run("there", func(t *testing.T) {
		m, _ := startAgent(t)
		defer m.Close()
		test(t, m)
	})
}

// noise is n bytes without a pattern.
func noise(n int) []byte {
	source := rand.NewChaCha8([32]byte{1})
	data := make([]byte, n)
	_, _ = source.Read(data) // it never fails
	return data
}

func TestStreamsCrossBothWays(t *testing.T) {
	sent := noise(9 << 20) // several windows
	everywhere(t, func(t *testing.T, m machine.Machine) {
		var got bytes.Buffer
		n, err := echo.Exchange(context.Background(), m, machine.None{}, bytes.NewReader(sent), &got)
		if err != nil || n != int64(len(sent)) || !bytes.Equal(got.Bytes(), sent) {
			t.Errorf("%d of %d bytes came back, %v", got.Len(), len(sent), err)
		}
		if n, err := count.On(context.Background(), m, machine.None{}); n != 0 || err != nil {
			t.Errorf("without a stream: %d bytes, %v", n, err)
		}
	})
}

// TestAFullStreamHoldsUpNoOther stops reading one stream, in the middle of more
// than any buffer takes, and writing another that its operation waits for.
func TestAFullStreamHoldsUpNoOther(t *testing.T) {
	everywhere(t, func(t *testing.T, m machine.Machine) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		outEnd, out := io.Pipe()
		in, inEnd := io.Pipe()
		defer inEnd.Close()
		full, waiting := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := echo.Exchange(ctx, m, machine.None{}, bytes.NewReader(noise(9<<20)), out)
			full <- err
		}()
		go func() {
			_, err := count.Exchange(ctx, m, machine.None{}, in, io.Discard)
			waiting <- err
		}()
		if _, err := io.ReadFull(outEnd, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		for range 3 { // with and without streams of their own
			n, err := count.Exchange(ctx, m, machine.None{}, bytes.NewReader(noise(5<<20)), io.Discard)
			if n != 5<<20 || err != nil {
				t.Fatalf("beside them: %d bytes, %v", n, err)
			}
			if text, err := deaf.On(ctx, m, "hello"); text != "hello" || err != nil {
				t.Fatalf("beside them: %q, %v", text, err)
			}
		}
		go func() { _, _ = io.Copy(io.Discard, outEnd) }()
		if err := <-full; err != nil {
			t.Error(err)
		}
		inEnd.Close()
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	})
}

func TestAStreamNobodyReadsHoldsUpNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, m machine.Machine) {
		for range 3 {
			text, err := deaf.Exchange(context.Background(), m, "done", bytes.NewReader(noise(9<<20)), io.Discard)
			if text != "done" || err != nil {
				t.Errorf("%q, %v", text, err)
			}
		}
	})
}

func TestABrokenInputFailsTheCall(t *testing.T) {
	broken := errors.New("the disk is on fire")
	everywhere(t, func(t *testing.T, m machine.Machine) {
		in := io.MultiReader(strings.NewReader("some"), errorReader{broken})
		if _, err := count.Exchange(context.Background(), m, machine.None{}, in, io.Discard); !errors.Is(err, broken) {
			t.Errorf("err = %v", err)
		}
	})
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestCancelEndsAStreamThatIsWaitedFor(t *testing.T) {
	m, _ := startAgent(t)
	defer m.Close()
	ctx, cancel := context.WithCancel(context.Background())
	in, inEnd := io.Pipe()
	defer inEnd.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := count.Exchange(ctx, m, machine.None{}, in, io.Discard)
		ended <- err
	}()
	if _, err := inEnd.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}
