package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
)

// Append adds an entry to the journal of the switch in flight. When it returns,
// the entry lasts through a power cut: the effect it announces may happen. On an
// error the journal is as it was.
var Append = machine.Op[Writing, machine.None]{Name: "state.append", Do: func(_ context.Context, _ machine.At, w Writing) (machine.None, error) {
	return machine.None{}, note(w)
}}

// Journal reads the journal of the switch in flight: of a run that is at it, or
// of one that died. Without one there are no entries.
var Journal = machine.Op[string, Journalled]{Name: "state.journal", Do: func(_ context.Context, _ machine.At, dir string) (Journalled, error) {
	return readJournal(dir)
}}

func readJournal(dir string) (Journalled, error) {
	entries, corrupt, err := readLines[Entry](filepath.Join(dir, journalName))
	ended, _, errEnded := readLines[Entry](filepath.Join(dir, lastJournalName))
	j := Journalled{Entries: entries, Corrupt: corrupt}
	for _, e := range ended {
		j.Ended = max(j.Ended, e.Epoch.Number)
	}
	return j, errors.Join(err, errEnded)
}

// Finish ends the journal of the switch in flight: it is set aside as
// last-journal.jsonl until the next one ends. Without one it does nothing. What was
// said to the switch goes with it.
var Finish = machine.Op[string, machine.None]{Name: "state.finish", Do: finish}

// Kind says what an entry of a journal announces.
type Kind string

const (
	Open    Kind = "open"    // a switch is in flight; the old slot serves
	Install Kind = "install" // the configuration is replaced
	Share   Kind = "share"   // of a canary: a part of the traffic may be on the new slot
	Commit  Kind = "commit"  // traffic may be on the new slot
	Decided Kind = "decided" // this host stays with the new slot
	Back    Kind = "back"    // this host returns to the old slot; decided before it is void
)

// Entry is one line of a journal.
type Entry struct {
	Time        time.Time      `json:"time"`
	Epoch       protocol.Epoch `json:"epoch"` // of the run whose switch it is
	Kind        Kind           `json:"kind"`
	By          string         `json:"by,omitempty"`   // who ruled back: "run", "recover", "agent"
	From        string         `json:"from,omitempty"` // slot; empty at the first deploy
	FromRelease string         `json:"from_release,omitempty"`
	To          string         `json:"to,omitempty"` // slot
	ToRelease   string         `json:"to_release,omitempty"`
	Former      string         `json:"former_release,omitempty"` // in To before the switch
	Percent     int            `json:"percent,omitempty"`        // of the requests, for To; in Share only

	// Alone is what the agent needs to know to act by itself; in Open only.
	Alone json.RawMessage `json:"alone,omitempty"`
}

// Writing is an entry for the journal of the environment whose state is in Dir.
type Writing struct {
	Dir   string `json:"dir"`
	Entry Entry  `json:"entry"`
}

// Journalled is what a journal holds.
type Journalled struct {
	Entries []Entry `json:"entries,omitempty"` // in the order they were written
	Corrupt int     `json:"corrupt,omitempty"` // lines left out: torn by a power cut, or altered
	Ended   int     `json:"ended,omitempty"`   // epoch of the journal that ended last
}

// Standing is what the journal comes to.
func (j Journalled) Standing() protocol.Standing {
	s := protocol.Standing{Exists: len(j.Entries) > 0}
	for _, e := range j.Entries {
		s.First = e.From == ""
		switch e.Kind {
		case Share, Commit:
			s.Committing = true
		case Decided:
			s.Ruling = protocol.Decided
		case Back:
			s.Ruling = protocol.Back
		}
	}
	return s
}

const (
	journalName     = "journal.jsonl"
	lastJournalName = "last-journal.jsonl"
)

func note(w Writing) error {
	if err := appendEntry(w); err != nil {
		return fmt.Errorf("journal %s: %w", w.Dir, err)
	}
	return nil
}

func appendEntry(w Writing) error {
	if err := makeDir(w.Dir); err != nil {
		return err
	}
	path := filepath.Join(w.Dir, journalName)
	_, err := os.Lstat(path)
	created := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	err = errors.Join(appendLine(file, encode(w.Entry)), file.Close())
	if err == nil && created {
		err = machine.SyncDir(w.Dir)
	}
	return err
}

// appendLine adds text durably, or not at all. A last line that was torn is
// closed first, so that it spoils no other.
func appendLine(file *os.File, text []byte) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if size > 0 {
		if _, err := file.ReadAt(last, size-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		text = append([]byte{'\n'}, text...)
	}
	if _, err := file.Write(text); err != nil {
		return errors.Join(err, file.Truncate(size))
	}
	if err := file.Sync(); err != nil {
		return errors.Join(err, file.Truncate(size))
	}
	return nil
}

func finish(_ context.Context, _ machine.At, dir string) (machine.None, error) {
	err := os.Rename(filepath.Join(dir, journalName), filepath.Join(dir, lastJournalName))
	if errors.Is(err, fs.ErrNotExist) {
		return machine.None{}, nil
	}
	if err == nil {
		err = errors.Join(machine.RemoveFile(filepath.Join(dir, wordName)), machine.SyncDir(dir))
	}
	if err != nil {
		return machine.None{}, fmt.Errorf("journal %s: %w", dir, err)
	}
	return machine.None{}, nil
}
