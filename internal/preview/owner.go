package preview

import (
	"fmt"
	"strings"
)

// Repositories whose blocks have one name share a state directory, the site of the
// domain and, behind HAProxy, the file of all previews. So the previews of a block
// are those of one repository: another one is refused before it changes anything,
// and what removes and repairs leaves the previews of others alone.

// part parts records into those that the request is about and those of other
// repositories. One without a repository is anybody's: who made it is not known.
func (r Request) part(all []Record) (own, others []Record) {
	for _, record := range all {
		if record.Repository == "" || strings.EqualFold(record.Repository, r.Repository) {
			own = append(own, record)
		} else {
			others = append(others, record)
		}
	}
	return own, others
}

// mine is part for what changes previews. That others have some there is told.
func (w *work) mine(all []Record) []Record {
	own, others := w.part(all)
	if len(others) == 0 {
		return own
	}
	text := fmt.Sprintf("left alone: %d of %s", len(others), others[0].Repository)
	if w.Repository == "" {
		text += fmt.Sprintf("; if they are meant, add -repository %s", others[0].Repository)
	}
	w.Tell(Step{Preview: w.Preview.Name, Text: text})
	return own
}

// foreign is the error of a run that would change a preview of another repository.
func (w *work) foreign(held Record) error {
	p := w.Preview
	whose := fmt.Sprintf("%s: %s in %s is a preview of %s", w.app.server.Name, held.Name, p.StateDir, held.Repository)
	rename := fmt.Sprintf("rename preview %q (%s:%d)", p.Name, p.Pos.File, p.Pos.Line)
	if w.Repository == "" {
		return fmt.Errorf("%s: if that is meant, add -repository %s; if not, %s; nothing was changed", whose, held.Repository, rename)
	}
	return fmt.Errorf("%s, and repositories can't share a preview block: %s, with a domain and ports of its own; nothing was changed; if %s is called %s now, \"turnout preview sync -repository %s -open ''\" takes down what is there",
		whose, rename, held.Repository, w.Repository, held.Repository)
}
