package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/org/deploy-action/internal/secret"
)

// client speaks GitHub's REST API, of github.com or of an Enterprise Server: the
// runner says where it is.
type client struct {
	api, graphql string // addresses
	repository   string // "owner/name"
	token        string
	masker       *secret.Masker
	http         http.Client
}

const (
	apiVersion  = "2022-11-28"     // X-GitHub-Api-Version
	requestTime = 10 * time.Second // for one request
	maxAnswer   = 8 << 20          // bytes of an answer that are read; 100 comments have 6.5 MB at most
)

// client returns nil where there is no token, or no API to use it with.
func (a *Actions) client() *client {
	c := &client{
		api: strings.TrimRight(a.getenv("GITHUB_API_URL"), "/"), graphql: a.getenv("GITHUB_GRAPHQL_URL"),
		repository: a.getenv("GITHUB_REPOSITORY"), token: a.settings.Token, masker: a.masker,
		http: http.Client{Timeout: requestTime},
	}
	if c.api == "" || c.repository == "" || c.token == "" {
		return nil
	}
	return c
}

// get, send and remove do what they say to a path below the repository.
func (c *client) get(ctx context.Context, path string, out any) error {
	_, err := c.exchange(ctx, http.MethodGet, c.below(path), nil, out)
	return err
}

func (c *client) send(ctx context.Context, method, path string, in, out any) error {
	_, err := c.exchange(ctx, method, c.below(path), in, out)
	return err
}

func (c *client) remove(ctx context.Context, path string) error {
	_, err := c.exchange(ctx, http.MethodDelete, c.below(path), nil, nil)
	return err
}

// pages gets page after page of a list, at most so many, until enough says so.
func pages[T any](ctx context.Context, c *client, path string, most int, enough func([]T) bool) error {
	for page := 1; page <= most; page++ {
		var list []T
		header, err := c.exchange(ctx, http.MethodGet, fmt.Sprintf("%s&page=%d", c.below(path), page), nil, &list)
		if err != nil || enough(list) || !strings.Contains(header.Get("Link"), `rel="next"`) {
			return err
		}
	}
	return nil
}

// viewer is whom GitHub takes the holder of the token for. The REST API tells
// that to people's tokens only, and not to the one of a job.
func (c *client) viewer(ctx context.Context) (string, error) {
	var answer struct {
		Data struct {
			Viewer struct {
				Login string `json:"login"`
			} `json:"viewer"`
		} `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	question := map[string]string{"query": "query { viewer { login } }"}
	if _, err := c.exchange(ctx, http.MethodPost, c.graphql, question, &answer); err != nil {
		return "", err
	}
	if login := answer.Data.Viewer.Login; login != "" {
		return login, nil
	}
	message := "no login in the answer"
	if len(answer.Errors) > 0 {
		message = answer.Errors[0].Message
	}
	return "", &refusal{asked: "POST " + c.graphql, status: "200 OK", code: http.StatusOK, message: message}
}

func (c *client) below(path string) string { return c.api + "/repos/" + c.repository + "/" + path }

func (c *client) exchange(ctx context.Context, method, url string, in, out any) (http.Header, error) {
	request, err := c.request(ctx, method, url, in)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode/100 != 2 {
		return nil, c.refused(response, body)
	}
	if out == nil {
		return response.Header, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return nil, backoff.Permanent(fmt.Errorf("%s %s: the answer is not GitHub's: %w", method, url, err))
	}
	return response.Header, nil
}

func (c *client) request(ctx context.Context, method, url string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			panic("github: " + err.Error()) // what is sent is ours
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("User-Agent", "turnout")
	request.Header.Set("X-GitHub-Api-Version", apiVersion)
	return request, nil
}

// refusal is an answer that says no.
type refusal struct {
	asked, status string // "POST https://…", "403 Forbidden"
	code          int
	message       string
	limited       bool          // a rate limit
	wait          time.Duration // of a rate limit: until it ends
}

func (r *refusal) Error() string {
	text := r.asked + ": " + r.status
	if r.message != "" {
		text += ": " + r.message
	}
	if r.limited {
		text += fmt.Sprintf(" (GitHub asks to wait %s)", r.wait.Round(time.Second))
	}
	return text
}

// maxMessageShown is how much of GitHub's words a message repeats, in bytes.
const maxMessageShown = 300

func (c *client) refused(response *http.Response, body []byte) *refusal {
	r := &refusal{
		asked:  response.Request.Method + " " + response.Request.URL.Redacted(),
		status: response.Status, code: response.StatusCode,
	}
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) == nil {
		message := c.masker.String(said.Message)
		r.message = strings.ToValidUTF8(message[:min(len(message), maxMessageShown)], "")
	}
	r.limited, r.wait = limit(response, r.message)
	return r
}

// secondaryWait is how long to wait when a secondary rate limit doesn't say
// (docs.github.com, "Rate limits for the REST API").
const secondaryWait = time.Minute

// limit tells a rate limit from other refusals, and how long it lasts.
func limit(response *http.Response, message string) (limited bool, wait time.Duration) {
	if response.StatusCode != http.StatusForbidden && response.StatusCode != http.StatusTooManyRequests {
		return false, 0
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		return true, time.Duration(max(seconds, 0)) * time.Second
	}
	if response.Header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(response.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return true, max(time.Until(time.Unix(reset, 0)), 0)
		}
	}
	limited = response.StatusCode == http.StatusTooManyRequests || strings.Contains(message, "rate limit")
	return limited, secondaryWait
}

// forbids reports whether err is an answer that no other request of the kind
// will get past: the token lacks a permission.
func forbids(err error) bool {
	var r *refusal
	if !errors.As(err, &r) || r.limited {
		return false
	}
	return r.code == http.StatusUnauthorized || r.code == http.StatusForbidden || r.code == http.StatusNotFound
}

// What keeps GitHub busy for longer than this is given up: nobody waits for it.
const (
	maxTries = 5
	patience = 2 * time.Minute // for a rate limit to end
	maxRetry = 5 * time.Minute // for all tries
)

// persist does something with GitHub until it is done, again where another try
// may help. It must find out by itself what an earlier try has done.
func persist(ctx context.Context, do func(context.Context) error) error {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = time.Second/2, 10*time.Second
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := do(ctx)
		if ctx.Err() == nil {
			last = err
		}
		return struct{}{}, again(err)
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(maxTries), backoff.WithMaxElapsedTime(maxRetry))
	if err != nil && last != nil { // it says more than that time is over
		return last
	}
	return err
}

// again says of an error whether and when another try may help.
func again(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	switch {
	case r.limited && r.wait <= patience:
		return &waiting{refusal: r, until: &backoff.RetryAfterError{Duration: r.wait}}
	case r.code >= 500, r.code == http.StatusRequestTimeout:
		return err
	}
	return backoff.Permanent(err)
}

// waiting is a refusal that ends by itself.
type waiting struct {
	*refusal
	until *backoff.RetryAfterError
}

func (w *waiting) Unwrap() []error { return []error{w.refusal, w.until} }

// gone reports whether err says that what was asked for is no more.
func gone(err error) bool {
	var r *refusal
	return errors.As(err, &r) && (r.code == http.StatusNotFound || r.code == http.StatusGone)
}
