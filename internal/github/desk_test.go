package github

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// answers is an errand that gets one answer after the other, and notes when.
type answers struct {
	began time.Time
	list  []error
	at    []time.Duration
}

func (a *answers) do(context.Context) error {
	a.at = append(a.at, time.Since(a.began))
	answer := a.list[0]
	if len(a.list) > 1 {
		a.list = a.list[1:]
	}
	return answer
}

func TestErrandsAreTriedAgain(t *testing.T) {
	down := &refusal{code: http.StatusServiceUnavailable}
	limited := func(wait time.Duration) error { return &refusal{code: http.StatusForbidden, limited: true, wait: wait} }
	for name, test := range map[string]struct {
		answers []error
		tries   int
		least   time.Duration // until the last try
		failed  bool
	}{
		"once is enough":          {[]error{nil}, 1, 0, false},
		"down for a while":        {[]error{down, errors.New("connection refused"), nil}, 3, 500 * time.Millisecond, false},
		"down for good":           {[]error{down}, maxTries, time.Second, true},
		"a rate limit":            {[]error{limited(time.Minute), nil}, 2, time.Minute, false},
		"a rate limit of an hour": {[]error{limited(time.Hour)}, 1, 0, true},
		"a mistake":               {[]error{&refusal{code: http.StatusUnprocessableEntity}}, 1, 0, true},
		"no permission":           {[]error{&refusal{code: http.StatusForbidden}}, 1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{began: time.Now(), list: test.answers}
				err := persist(t.Context(), a.do)
				if len(a.at) != test.tries || a.at[len(a.at)-1] < test.least || (err != nil) != test.failed {
					t.Errorf("tries at %v, in the end %v", a.at, err)
				}
				var r *refusal
				if err != nil && !errors.As(err, &r) {
					t.Errorf("the error hides what GitHub said: %v", err)
				}
			})
		})
	}
}

func TestErrandsOfOneNameAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		var did []string
		errandOf := func(name string) errand {
			return errand{name: name, do: func(context.Context) error {
				time.Sleep(100 * time.Millisecond)
				did = append(did, name)
				return nil
			}}
		}
		d.add(errandOf("a"))
		synctest.Wait() // a is under way: what is added now may come too late for it
		for _, name := range []string{"a", "b", "a", "b"} {
			d.add(errandOf(name))
		}
		if errs := d.close(t.Context()); errs != nil || len(did) != 3 {
			t.Errorf("did %v, %v", did, errs)
		}
	})
}

func TestTheDeskIsClosedInTime(t *testing.T) {
	for name, test := range map[string]struct {
		cancelAfter time.Duration // from the start of closing; 0: never
		want        time.Duration
	}{
		"to its end":     {0, lastWords},
		"when cancelled": {500 * time.Millisecond, 500*time.Millisecond + fewerWords},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk()
				for _, name := range []string{"a", "b"} {
					d.add(errand{name: name, do: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.cancelAfter > 0 {
					time.AfterFunc(test.cancelAfter, cancel)
				}
				began := time.Now()
				errs := d.close(ctx)
				if took := time.Since(began); took != test.want || len(errs) != 1 || !errors.Is(errs[0], errLate) {
					t.Errorf("closed after %s with %v", took, errs)
				}
			})
		})
	}
}

func TestLimits(t *testing.T) {
	reset := time.Now().Add(90 * time.Second)
	for name, test := range map[string]struct {
		code    int
		header  map[string]string
		message string
		limited bool
		wait    time.Duration // rounded
	}{
		"permission":        {403, nil, "Resource not accessible by integration", false, 0},
		"seconds to wait":   {403, map[string]string{"Retry-After": "30"}, "You have exceeded a secondary rate limit.", true, 30 * time.Second},
		"all used up":       {403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": unix(reset)}, "API rate limit exceeded", true, 90 * time.Second},
		"secondary":         {403, nil, "You have exceeded a secondary rate limit.", true, time.Minute},
		"too many requests": {429, nil, "", true, time.Minute},
		"some left":         {403, map[string]string{"X-RateLimit-Remaining": "12"}, "no", false, 0},
		"not one":           {500, map[string]string{"Retry-After": "30"}, "rate limit", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			response := &http.Response{StatusCode: test.code, Header: make(http.Header)}
			for name, value := range test.header {
				response.Header.Set(name, value)
			}
			limited, wait := limit(response, test.message)
			if limited != test.limited || limited && wait.Round(10*time.Second) != test.wait {
				t.Errorf("limited %t, for %s", limited, wait)
			}
		})
	}
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
