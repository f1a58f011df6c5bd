package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
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

// ask asks the running proxy, on fresh connections, what it serves.
func (s Site) ask(ctx context.Context) (Answer, error) { return s.dialect().answer(ctx, s) }

// answerAtOnce asks a proxy that knows of its share and says so.
func answerAtOnce(ctx context.Context, s Site) (Answer, error) {
	id, word, err := s.question(ctx, 0)
	if err != nil {
		return Answer{}, err
	}
	t, err := s.parseWord(word)
	return Answer{ID: id, Slot: t.slot, Share: t.share}, err
}

// answerByPoints asks nginx, which knows no more than where one point goes, for
// the first and the last and, where these part, for the point between.
func answerByPoints(ctx context.Context, s Site) (Answer, error) {
	first, err := s.slotAt(ctx, 0)
	if err != nil {
		return Answer{}, err
	}
	answer, err := s.slotAt(ctx, hundred-1)
	if err != nil || answer == first {
		return answer, err
	}
	answer.Share = sort.Search(hundred, func(point int) bool {
		at, atErr := s.slotAt(ctx, point)
		err = errors.Join(err, atErr)
		return at.Slot != first.Slot
	})
	return answer, err
}

// slotAt asks where one point goes. A body that does not split ignores the point.
func (s Site) slotAt(ctx context.Context, point int) (Answer, error) {
	id, word, err := s.question(ctx, point)
	if err != nil {
		return Answer{}, err
	}
	slot, err := value.ParseName(word)
	return Answer{ID: id, Slot: slot}, err
}

// question asks the proof path.
func (s Site) question(ctx context.Context, point int) (id, word string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	scheme := "http"
	if s.TLS != nil {
		scheme = "https"
	}
	target := fmt.Sprintf("%s://%s%s?point=%02d", scheme, s.Listen.Local(), s.proofPath(), point)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		panic(fmt.Sprintf("proxy: %q is no URL: %v", target, err))
	}
	request.Host = s.hostHeader()
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, DialContext: new(net.Dialer).DialContext,
			// The address is this machine's own, and the answer has to name our
			// configuration: what the certificate says is for clients to judge.
			TLSClientConfig: &tls.Config{ServerName: s.hostHeader(), InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	id, word, err = parseAnswer(response)
	if word == unseen {
		return "", "", s.blind()
	}
	return id, word, err
}

// unseen is what the proof of nginx says where its workers can't see the
// directory of the selector: each request would go to the first slot.
const unseen = "?"

// blind says what commonly keeps nginx's workers from seeing the selector.
func (s Site) blind() error {
	dir := s.liveDir()
	if barrier := s.barrier(); barrier != "" {
		return fmt.Errorf("nginx's workers can't see %s: others may not search %s: chmod o+x %s", dir, barrier, barrier)
	}
	return fmt.Errorf("nginx's workers can't see %s: a container needs it mounted at the same path (-v %s:%s:ro), a systemd unit must not hide it", dir, s.StateDir, s.StateDir)
}

// parseAnswer reads "<id> <word>".
func parseAnswer(response *http.Response) (id, word string, err error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, 256))
	if err != nil {
		return "", "", err
	}
	id, word, ok := strings.Cut(strings.TrimSpace(string(body)), " ")
	if response.StatusCode != http.StatusOK || !ok || len(id) != 12 || word == "" {
		return "", "", fmt.Errorf("%s: not our configuration (%s)", response.Request.URL, response.Status)
	}
	return id, word, nil
}

// traffic is where the running proxy sends requests.
func (a Answer) traffic() traffic { return traffic{slot: a.Slot, share: a.Share} }

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

// leads is a complaint unless the proxy answers that requests go where t says.
func leads(t traffic) func(Answer, error) error {
	return func(answer Answer, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("no answer from the running proxy: %w", err)
		case answer.Slot != t.slot:
			return fmt.Errorf("the running proxy sends requests to slot %s, not %s", answer.Slot, t.slot)
		case answer.Share != t.share:
			return fmt.Errorf("the running proxy sends %d %% of the requests to slot %s, not %d %%", hundred-answer.Share, t.slot, hundred-t.share)
		}
		return nil
	}
}
