package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
)

// Acquire tries to take the lock of an environment for the session, once:
// callers that wait ask again. A session is granted it once: two deploys of one
// run exclude each other too. The kernel frees the lock the moment the process
// that holds it is gone, however it went.
//
// Where the session ends and the lock was not given back, its run has gone: alone
// is called before the lock is free, if the journal asks for it (protocol.Alone).
func Acquire(alone Alone) machine.Op[Claim, Grant] {
	return machine.Op[Claim, Grant]{Name: "state.acquire", Do: func(ctx context.Context, at machine.At, c Claim) (Grant, error) {
		return acquire(ctx, at, c, alone)
	}}
}

// Release gives the lock of the environment with that directory back; one that
// the session doesn't hold is no error.
var Release = machine.Op[string, machine.None]{Name: "state.release", Do: release}

// LockStatus says whether anyone holds the lock of the environment with that
// directory, without taking it. Nothing is created.
var LockStatus = machine.Op[string, Grant]{Name: "state.lock_status", Do: lockStatus}

// Claim asks for the lock of the environment whose state is in Dir.
type Claim struct {
	Dir    string `json:"dir"`
	Holder Holder `json:"holder"`
}

// Grant is the answer about a lock.
type Grant struct {
	Held  bool           `json:"held"`  // by the session that asked to acquire it; by anyone, of LockStatus
	By    Holder         `json:"by"`    // who holds it, as that run has told; zero while it has not
	Epoch protocol.Epoch `json:"epoch"` // that stands on the machine, whoever holds the lock
	Quiet time.Duration  `json:"quiet"` // since the holder's last sign of life, to within 5 s
}

// Holder is a run that holds a lock.
type Holder struct {
	Run     string    `json:"run"`
	Command string    `json:"command,omitempty"`
	Actor   string    `json:"actor,omitempty"`
	Commit  string    `json:"commit,omitempty"`
	URL     string    `json:"url,omitempty"`
	Since   time.Time `json:"since"`
	PID     int       `json:"pid,omitempty"` // of the process on this machine; filled in by Acquire
}

// String is the holder for messages.
func (h Holder) String() string {
	if h.Run == "" {
		return "another run"
	}
	text := "run " + h.Run
	for _, detail := range []struct{ label, value string }{{"by ", h.Actor}, {"at commit ", h.Commit}, {"", h.URL}} {
		if detail.value != "" {
			text += ", " + detail.label + detail.value
		}
	}
	return fmt.Sprintf("%s, since %s", text, h.Since.UTC().Format("2006-01-02 15:04:05 MST"))
}

const (
	lockName   = "lock"
	holderName = "holder.json"

	// glance outlasts the moment for which LockStatus holds a shared lock.
	glance = 100 * time.Millisecond

	// pulse is how often the holder's last sign of life is noted.
	pulse = 5 * time.Second
)

func sessionKey(dir string) string { return "state.lock:" + filepath.Clean(dir) }

func acquire(ctx context.Context, at machine.At, c Claim, alone Alone) (Grant, error) {
	if held(at, c.Dir) != nil {
		standing, err := readEpoch(c.Dir)
		return Grant{By: readHolder(c.Dir), Epoch: standing}, err
	}
	if err := makeDir(c.Dir); err != nil {
		return Grant{}, fmt.Errorf("lock: %w", err)
	}
	lock := flock.New(filepath.Join(c.Dir, lockName), flock.SetPermissions(fileMode))
	ok, err := tryLock(ctx, lock)
	if err != nil {
		return Grant{}, fmt.Errorf("lock %s: %w", c.Dir, err)
	}
	standing, err := readEpoch(c.Dir)
	if !ok || err != nil {
		return Grant{By: readHolder(c.Dir), Epoch: standing}, errors.Join(err, lock.Close())
	}
	c.Holder.PID = os.Getpid()
	if err := writeHolder(c); err != nil {
		return Grant{}, errors.Join(err, lock.Close())
	}
	keep := &heldLock{dir: c.Dir, lock: lock, alone: alone, done: make(chan struct{})}
	keep.note(at.Session)
	go keep.beat(at.Session)
	return Grant{Held: true, By: c.Holder, Epoch: standing}, at.Session.Keep(sessionKey(c.Dir), keep)
}

// held is the lock in dir that the session holds, nil where it holds none.
func held(at machine.At, dir string) *heldLock {
	lock, _ := at.Session.Kept(sessionKey(dir)).(*heldLock)
	return lock
}

func tryLock(ctx context.Context, lock *flock.Flock) (bool, error) {
	short, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	ok, err := lock.TryLockContext(short, glance/10)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return false, nil
	}
	return ok, err
}

// heldLock is a lock that the session keeps.
type heldLock struct {
	dir  string
	lock *flock.Flock
	done chan struct{}

	alone Alone
	given atomic.Bool // back, by the run itself

	journal sync.Mutex // entries of several proxies on one machine are written one by one
}

// Close does what is left to do by a run that has gone, takes the holder's name
// away, then frees the lock.
func (h *heldLock) Close() error {
	close(h.done)
	var acted error
	if !h.given.Load() {
		acted = h.actAlone()
	}
	return errors.Join(acted, machine.RemoveFile(filepath.Join(h.dir, holderName)), h.lock.Close())
}

// beat notes the holder's signs of life until the lock is given up.
func (h *heldLock) beat(session *machine.Session) {
	ticker := time.NewTicker(pulse)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			h.note(session)
		case <-h.done:
			return
		}
	}
}

// note writes when the holder was heard from last, as the time of the lock file.
func (h *heldLock) note(session *machine.Session) {
	heard := session.Heard()
	_ = os.Chtimes(h.lock.Path(), heard, heard) // only LockStatus asks for it
}

func release(_ context.Context, at machine.At, dir string) (machine.None, error) {
	if lock := held(at, dir); lock != nil {
		lock.given.Store(true)
	}
	if err := at.Session.Release(sessionKey(dir)); err != nil {
		return machine.None{}, fmt.Errorf("unlock %s: %w", dir, err)
	}
	return machine.None{}, nil
}

func lockStatus(_ context.Context, _ machine.At, dir string) (Grant, error) {
	standing, err := readEpoch(dir)
	if err != nil {
		return Grant{}, err
	}
	lock := flock.New(filepath.Join(dir, lockName), flock.SetFlag(os.O_RDONLY))
	defer lock.Close()
	free, err := lock.TryRLock()
	switch {
	case errors.Is(err, fs.ErrNotExist), free:
		return Grant{Epoch: standing}, nil
	case err != nil:
		return Grant{}, fmt.Errorf("lock %s: %w", dir, err)
	}
	info, err := os.Stat(lock.Path())
	if err != nil {
		return Grant{}, fmt.Errorf("lock: %w", err)
	}
	return Grant{Held: true, By: readHolder(dir), Epoch: standing, Quiet: max(0, time.Since(info.ModTime()))}, nil
}

func writeHolder(c Claim) error {
	text, err := json.Marshal(c.Holder)
	if err != nil {
		panic("state: a holder is plain data: " + err.Error())
	}
	return machine.WriteFile(filepath.Join(c.Dir, holderName), append(text, '\n'), fileMode)
}

// readHolder is what the holder has told of itself. A run that was killed leaves
// its name behind, so this is read only where the lock is known to be held.
func readHolder(dir string) Holder {
	var h Holder
	text, err := os.ReadFile(filepath.Join(dir, holderName))
	if err != nil || json.Unmarshal([]byte(strings.TrimSpace(string(text))), &h) != nil {
		return Holder{}
	}
	return h
}
