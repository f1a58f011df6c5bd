package machine

import (
	"errors"
	"io"
	"sync"
	"time"
)

// Session is what lives on a machine between the calls of one turnout run. When
// the run ends, or its connection, everything kept is closed.
type Session struct {
	mu    sync.Mutex
	kept  map[string]io.Closer
	heard time.Time // the client's last word; zero: it is this process
}

// NewSession returns a session that keeps nothing yet.
func NewSession() *Session { return &Session{kept: make(map[string]io.Closer)} }

// Heard is when the run gave its last sign of life: now, where it is this process.
func (s *Session) Heard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard.IsZero() {
		return time.Now()
	}
	return s.heard
}

func (s *Session) hear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
}

// Keep holds c under key until Release or the end of the session. A former
// holder of the key is closed.
func (s *Session) Keep(key string, c io.Closer) error {
	s.mu.Lock()
	former := s.kept[key]
	s.kept[key] = c
	s.mu.Unlock()
	if former == nil {
		return nil
	}
	return former.Close()
}

// Kept returns what is held under key, nil when nothing is.
func (s *Session) Kept(key string) io.Closer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[key]
}

// Release closes what is held under key; nothing held is no error.
func (s *Session) Release(key string) error {
	s.mu.Lock()
	c := s.kept[key]
	delete(s.kept, key)
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.Close()
}

// Close releases everything.
func (s *Session) Close() error {
	s.mu.Lock()
	kept := s.kept
	s.kept = make(map[string]io.Closer)
	s.mu.Unlock()
	var errs []error
	for _, c := range kept {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
