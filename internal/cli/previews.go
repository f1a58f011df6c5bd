package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/org/deploy-action/internal/github"
	"github.com/org/deploy-action/internal/preview"
)

func (p *previews) up(ctx context.Context) error {
	number, err := p.number()
	if err != nil {
		return err
	}
	if err := p.refuseFork(); err != nil {
		return err
	}
	path := or(p.String("release"), p.Preview.Release)
	if path == "" {
		return &usageError{fmt.Errorf("preview %q names no release: give -release PATH, or release = … in the spec", p.Preview.Name)}
	}
	target := github.Target{Name: p.Preview.NameOf(number), Transient: true}
	p.api().Deploy(target, github.Status{State: github.InProgress})
	record, err := preview.Bring(ctx, p.Request, preview.Change{Number: number, Release: p.abs(path), Commit: p.Holder.Commit})
	status, outcome := github.Status{State: github.Live, Release: record.Release, URL: preview.URL(p.Preview, record)}, "succeeded"
	switch {
	case preview.Stranded(err):
		status, outcome = github.Status{State: github.Broken}, "stranded"
	case err != nil:
		status, outcome = github.Status{State: github.Failure}, "failed"
	}
	p.api().Deploy(target, status)
	p.comment(commentUp(record, status.URL, err))
	if err != nil {
		return errors.Join(err, p.outputs(outcome, "", ""))
	}
	fmt.Fprintf(p.stdout, "%s: %s\n", record.Name, status.URL)
	return p.outputs(outcome, status.URL, record.Release)
}

func (p *previews) down(ctx context.Context) error {
	number, err := p.number()
	if err != nil {
		return err
	}
	if err := p.refuseFork(); err != nil {
		return err
	}
	found, err := preview.Remove(ctx, p.Request, number)
	if err != nil {
		return err
	}
	name := p.Preview.NameOf(number)
	p.api().Retire(name, "the preview was removed")
	p.comment("The preview was removed.")
	text := "removed"
	if !found {
		text = "nothing to remove"
	}
	fmt.Fprintf(p.stdout, "%s: %s\n", name, text)
	return p.outputs("succeeded", "", "")
}

func (p *previews) sync(ctx context.Context) error {
	open, err := p.open()
	if err != nil {
		return err
	}
	synced, err := preview.Sync(ctx, p.Request, open)
	return errors.Join(err, p.tellSynced(synced))
}

func (p *previews) prune(ctx context.Context) error {
	synced, err := preview.Prune(ctx, p.Request)
	return errors.Join(err, p.tellSynced(synced))
}

// open is how to learn which pull requests are open.
func (p *previews) open() (func(context.Context) ([]int, error), error) {
	if !p.IsSet("open") {
		if p.actions == nil {
			return nil, &usageError{errors.New("which pull requests are open? GitHub is asked in a job of GitHub Actions; elsewhere give -open NUMBERS")}
		}
		if own := p.githubContext()["repository"]; !strings.EqualFold(p.Repository, own) {
			return nil, &usageError{fmt.Errorf("which pull requests of %s are open? GitHub is asked about %s alone: give -open NUMBERS", p.Repository, own)}
		}
		return p.actions.OpenPulls, nil
	}
	var numbers []int
	for text := range strings.SplitSeq(p.String("open"), ",") {
		if p.String("open") == "" {
			break
		}
		number, err := pullNumber(strings.TrimSpace(text))
		if err != nil {
			return nil, &usageError{fmt.Errorf("-open: %w", err)}
		}
		numbers = append(numbers, number)
	}
	return func(context.Context) ([]int, error) { return numbers, nil }, nil
}

func (p *previews) tellSynced(s preview.Synced) error {
	for _, r := range s.Removed {
		p.api().Retire(string(r.Name), "the preview was removed")
	}
	if p.Bool("json") {
		return writeIndented(p.stdout, s)
	}
	for _, number := range s.Missing {
		fmt.Fprintf(p.stdout, "%s: pull request %d is open and has no preview: run its job again\n", p.Preview.NameOf(number), number)
	}
	fmt.Fprintf(p.stdout, "%s: %d kept, %d repaired, %d removed, %d missing\n", p.Preview.Name, len(s.Kept), len(s.Repaired), len(s.Removed), len(s.Missing))
	return p.outputs("succeeded", "", "")
}

// listed is a preview as programs read it.
type listed struct {
	preview.Record
	URL     string `json:"url,omitempty"`
	Expired bool   `json:"expired"`
}

func (p *previews) list(ctx context.Context) error {
	records, err := preview.List(ctx, p.Request)
	if err != nil {
		return err
	}
	all := []listed{}
	now := time.Now()
	for _, r := range records {
		all = append(all, listed{Record: r, URL: preview.URL(p.Preview, r), Expired: r.Expired(p.Preview.TTL, now)})
	}
	if p.Bool("json") {
		return writeIndented(p.stdout, all)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PREVIEW\tPR\tSTATE\tRELEASE\tPORT\tURL\tUPDATED\tREPOSITORY")
	for _, l := range all {
		word := string(l.State)
		if l.Expired {
			word += ", expired"
		}
		age := now.Sub(l.Updated).Round(time.Second)
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%s\t%s ago\t%s\n", l.Name, l.Number, word, or(l.Release, "–"), l.Port, or(l.URL, "–"), age, or(l.Repository, "–"))
	}
	return w.Flush()
}

// api tells people on GitHub; nil where there is none.
func (p *previews) api() *github.API {
	if p.actions == nil {
		return nil
	}
	return p.actions.API()
}

// comment says on the pull request what became of its preview, in place of what
// was said before.
func (p *previews) comment(text string) {
	p.api().Comment("preview "+string(p.Preview.Name), "**Preview "+string(p.Preview.Name)+"**\n\n"+text)
}

// commentUp has no text in it that the pull request's author can write: what an
// application says when it fails is in the log.
func commentUp(r preview.Record, url string, err error) string {
	switch {
	case err == nil:
		return fmt.Sprintf("%s shows release `%s`.", url, r.Release)
	case preview.Stranded(err):
		return "The update failed and could not be put back; the log of the job says what is left, and the next sync repairs it."
	case r.Release != "":
		return fmt.Sprintf("The update failed; the log of the job says why. Release `%s` is there as before.", r.Release)
	}
	return "The preview could not be brought up; the log of the job says why."
}

// outputs sets those of the action.
func (p *previews) outputs(outcome, url, release string) error {
	if p.actions == nil {
		return nil
	}
	return errors.Join(p.actions.Output("outcome", outcome), p.actions.Output("url", url), p.actions.Output("release", release))
}
