package state

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
)

// Say leaves a word to the run that is at a canary. It takes no lock, as that run
// has it: the word names the epoch it is meant for, and reaches no other run.
// Without a canary under way nothing is written.
var Say = machine.Op[Speech, Audience]{Name: "state.say", Do: say}

// Heard is the word that was left to the run of that epoch; nil: none.
var Heard = machine.Op[Reign, *Word]{Name: "state.heard", Do: heard}

// Verb is what a canary is told to do.
type Verb string

const (
	Promote Verb = "promote" // give the new release everything now
	Abort   Verb = "abort"   // give the old release everything now
)

// Word is what somebody has told a canary to do.
type Word struct {
	Verb  Verb           `json:"verb"`
	By    string         `json:"by,omitempty"`
	Time  time.Time      `json:"time"`
	Epoch protocol.Epoch `json:"epoch"` // of the run it is meant for; filled in by Say
}

// Speech is a word for whoever is at a canary of the environment with that
// directory.
type Speech struct {
	Dir  string `json:"dir"`
	Word Word   `json:"word"`
}

// Audience is the run that a word was left to.
type Audience struct {
	Canary bool   `json:"canary"` // false: none is at a canary, and nothing was left
	Grant  Grant  `json:"grant"`  // the lock
	Last   *Entry `json:"last,omitempty"`
}

const wordName = "word"

func say(ctx context.Context, at machine.At, s Speech) (Audience, error) {
	grant, err := lockStatus(ctx, at, s.Dir)
	if err != nil || !grant.Held {
		return Audience{Grant: grant}, err
	}
	journal, err := readJournal(s.Dir)
	if err != nil || len(journal.Entries) == 0 {
		return Audience{Grant: grant}, err
	}
	last := journal.Entries[len(journal.Entries)-1]
	a := Audience{Canary: last.Kind == Share && last.Epoch == grant.Epoch, Grant: grant, Last: &last}
	if !a.Canary {
		return a, nil
	}
	s.Word.Epoch = grant.Epoch
	if err := machine.WriteFile(filepath.Join(s.Dir, wordName), encode(s.Word), fileMode); err != nil {
		return a, fmt.Errorf("word: %w", err)
	}
	return a, nil
}

func heard(_ context.Context, _ machine.At, r Reign) (*Word, error) {
	words, _, err := readLines[Word](filepath.Join(r.Dir, wordName))
	if err != nil {
		return nil, fmt.Errorf("word: %w", err)
	}
	for _, word := range words {
		if word.Epoch == r.Epoch {
			return &word, nil
		}
	}
	return nil, nil
}
