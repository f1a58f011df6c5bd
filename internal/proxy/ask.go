package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

const (
	askTime  = 2 * time.Second       // for one question to the proxy
	askPause = 25 * time.Millisecond // between questions
)

// quiet is at without a listener, for commands whose output is not the user's.
func quiet(at machine.At) machine.At { return machine.At{Session: at.Session, Out: io.Discard} }

// pause waits before the next question.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(askPause):
		return nil
	}
}

// ask asks the running proxy, on a fresh connection, what it serves.
func (s Site) ask(ctx context.Context) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	target := "http://" + string(s.Listen.Local()) + string(s.proofPath())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		panic(fmt.Sprintf("proxy: %q is no URL: %v", target, err))
	}
	request.Host = s.hostHeader()
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: new(net.Dialer).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	return parseAnswer(response)
}

// parseAnswer reads "<id> <slot>".
func parseAnswer(response *http.Response) (Answer, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, 256))
	if err != nil {
		return Answer{}, err
	}
	id, slot, ok := strings.Cut(strings.TrimSpace(string(body)), " ")
	name, nameErr := value.ParseName(slot)
	if response.StatusCode != http.StatusOK || !ok || len(id) != 12 || nameErr != nil {
		return Answer{}, fmt.Errorf("%s: not our configuration (%s)", response.Request.URL, response.Status)
	}
	return Answer{ID: id, Slot: name}, nil
}

// hostHeader is a host name that the site answers for.
func (s Site) hostHeader() string {
	switch {
	case s.Hostname == "":
		return string(s.Env)
	case s.Hostname[0] == '*':
		return "turnout" + string(s.Hostname[1:])
	}
	return string(s.Hostname)
}

// streak is how many answers in a row prove something, and over what time.
type streak struct {
	answers int
	over    time.Duration
}

// proof outlasts the 100 ms in which nginx's old and new workers both accept
// connections (ngx_master_process_cycle sleeps that long), and the time in which
// a HAProxy that somebody else reloads has read its files and not taken over.
var proof = streak{answers: 5, over: 250 * time.Millisecond}

// prove asks until good has held for a whole streak, each time on a fresh
// connection. It returns the time to the first answer of that streak, and
// otherwise why the last answer was not good.
func (s Site) prove(ctx context.Context, limit time.Duration, good func(Answer, error) error) (time.Duration, error) {
	began := time.Now()
	var since time.Time
	count := 0
	for {
		at := time.Now()
		complaint := good(s.ask(ctx))
		switch {
		case complaint != nil:
			count = 0
		case count == 0:
			since, count = time.Now(), 1
		default:
			count++
		}
		if count >= proof.answers && time.Since(since) >= proof.over {
			return since.Sub(began), nil
		}
		if complaint != nil && at.Sub(began) > limit {
			return 0, complaint
		}
		if err := pause(ctx); err != nil {
			return 0, err
		}
	}
}

// serves is a complaint unless the proxy answers with that ID.
func serves(id string) func(Answer, error) error {
	return func(answer Answer, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("no answer from the running proxy: %w", err)
		case answer.ID != id:
			return fmt.Errorf("the running proxy still serves configuration %s, not %s", answer.ID, id)
		}
		return nil
	}
}

// leads is a complaint unless the proxy answers with that slot.
func leads(slot value.Name) func(Answer, error) error {
	return func(answer Answer, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("no answer from the running proxy: %w", err)
		case answer.Slot != slot:
			return fmt.Errorf("the running proxy sends requests to slot %s, not %s", answer.Slot, slot)
		}
		return nil
	}
}
