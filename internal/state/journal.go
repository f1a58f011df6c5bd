package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/org/deploy-action/internal/machine"
)

// Append adds an entry to the journal of the switch in flight. When it returns,
// the entry lasts through a power cut: the effect it announces may happen. On an
// error the journal is as it was.
var Append = machine.Op[Writing, machine.None]{Name: "state.append", Do: func(_ context.Context, _ machine.At, w Writing) (machine.None, error) {
	if err := appendEntry(w); err != nil {
		return machine.None{}, fmt.Errorf("journal %s: %w", w.Dir, err)
	}
	return machine.None{}, nil
}}

// Journal reads the journal of the switch in flight: of a run that is at it, or
// of one that died. Without one there are no entries.
var Journal = machine.Op[string, Journalled]{Name: "state.journal", Do: func(_ context.Context, _ machine.At, dir string) (Journalled, error) {
	entries, corrupt, err := readLines[Entry](filepath.Join(dir, journalName))
	return Journalled{Entries: entries, Corrupt: corrupt}, err
}}

// Finish ends the journal of the switch in flight: it is set aside as
// last-journal.jsonl until the next one ends. Without one it does nothing.
var Finish = machine.Op[string, machine.None]{Name: "state.finish", Do: finish}

// Phase says whether an entry announces an effect or tells that it has happened.
type Phase string

const (
	Begin Phase = "begin"
	Done  Phase = "done"
)

// Entry is one line of a journal.
type Entry struct {
	Time        time.Time `json:"time"`
	Run         string    `json:"run"`
	Step        string    `json:"step"`
	Phase       Phase     `json:"phase"`
	From        string    `json:"from,omitempty"` // slot; empty at the first deploy
	FromRelease string    `json:"from_release,omitempty"`
	To          string    `json:"to,omitempty"` // slot
	ToRelease   string    `json:"to_release,omitempty"`
	Generation  int       `json:"generation,omitempty"`     // of the proxy's configuration
	Former      string    `json:"former_release,omitempty"` // in To before the switch
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
}

const (
	journalName     = "journal.jsonl"
	lastJournalName = "last-journal.jsonl"
)

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
	return file.Sync()
}

func finish(_ context.Context, _ machine.At, dir string) (machine.None, error) {
	err := os.Rename(filepath.Join(dir, journalName), filepath.Join(dir, lastJournalName))
	if errors.Is(err, fs.ErrNotExist) {
		return machine.None{}, nil
	}
	if err == nil {
		err = machine.SyncDir(dir)
	}
	if err != nil {
		return machine.None{}, fmt.Errorf("journal %s: %w", dir, err)
	}
	return machine.None{}, nil
}
