package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Local is the machine that runs turnout. Operations on it are function calls.
type Local struct {
	name    string
	session *Session
}

// NewLocal returns the machine that runs turnout under the name the spec gives it.
func NewLocal(name string) *Local { return &Local{name: name, session: NewSession()} }

// Session is what operations keep on this machine.
func (l *Local) Session() *Session { return l.session }

// Name is the name given to NewLocal.
func (l *Local) Name() string { return l.name }

// Call refuses every operation: On never takes that way for a Local.
func (l *Local) Call(context.Context, string, []byte, io.Reader, io.Writer) ([]byte, error) {
	panic("machine: operations on the local machine are called directly")
}

// Close ends the session.
func (l *Local) Close() error { return l.session.Close() }

// On performs the operation on m.
func (op Op[Req, Res]) On(ctx context.Context, m Machine, request Req) (Res, error) {
	return op.Stream(ctx, m, request, io.Discard)
}

// Stream performs the operation on m and copies what it streams to out.
func (op Op[Req, Res]) Stream(ctx context.Context, m Machine, request Req, out io.Writer) (Res, error) {
	return op.Exchange(ctx, m, request, nil, out)
}

// Exchange performs the operation on m, lets it read what in has, and copies what
// it streams to out. in may be nil. Whoever feeds in ends it when ctx ends.
func (op Op[Req, Res]) Exchange(ctx context.Context, m Machine, request Req, in io.Reader, out io.Writer) (Res, error) {
	if local, ok := m.(*Local); ok {
		if in == nil {
			in = nothing{}
		}
		return op.Do(ctx, At{Session: local.session, In: in, Out: out}, request)
	}
	var result Res
	encoded, err := json.Marshal(request)
	if err != nil {
		panic(fmt.Sprintf("machine: request of %s does not survive JSON: %v", op.Name, err))
	}
	answer, err := m.Call(ctx, op.Name, encoded, in, out)
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return result, fmt.Errorf("%s: result of %s: %w", m.Name(), op.Name, err)
	}
	return result, nil
}
