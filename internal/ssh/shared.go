package ssh

import (
	"context"
	"errors"
	"sync"
)

// perishable is what can be shared until it is lost.
type perishable interface {
	Lost() bool
	Close() error
}

// shared opens one thing for each key, whoever asks first, and opens it anew once
// it is lost.
type shared[T perishable] struct {
	mu  sync.Mutex
	all map[string]*opening[T]
}

// opening is one attempt to open something.
type opening[T perishable] struct {
	done      chan struct{}
	value     T
	err       error
	abandoned bool // err is the end of the context of the one who opened it
}

func (o *opening[T]) usable() bool {
	select {
	case <-o.done:
		return o.err == nil && !o.value.Lost()
	default:
		return true // it may become so
	}
}

// get returns what there is for key, or opens it. Those who ask while it is being
// opened share the outcome.
func (s *shared[T]) get(ctx context.Context, key string, open func(context.Context) (T, error)) (T, error) {
	for {
		o, first := s.join(key)
		if first {
			o.value, o.err = open(ctx)
			o.abandoned = o.err != nil && ctx.Err() != nil
			close(o.done)
			return o.value, o.err
		}
		select {
		case <-o.done:
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
		if !o.abandoned || ctx.Err() != nil {
			return o.value, o.err
		}
	}
}

func (s *shared[T]) join(key string) (o *opening[T], first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.all[key]; o != nil && o.usable() {
		return o, false
	}
	if s.all == nil {
		s.all = make(map[string]*opening[T])
	}
	o = &opening[T]{done: make(chan struct{})}
	s.all[key] = o
	return o, true
}

// close closes everything that was opened, side by side. Nothing may be opened
// any more.
func (s *shared[T]) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.all))
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, o := range s.all {
		all.Go(func() {
			<-o.done
			if o.err == nil {
				err := o.value.Close()
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	s.all = nil
	return errors.Join(errs...)
}
