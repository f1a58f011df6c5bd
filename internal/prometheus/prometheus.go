// Package prometheus asks a Prometheus server, or what speaks its HTTP API, for one
// number (https://prometheus.io/docs/prometheus/latest/querying/api/).
package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Server is where to ask, and as whom. With a token, the user name and password
// are not used.
type Server struct {
	Address            string // "https://prometheus.example.com/path"
	Token              string // secret
	Username, Password string // the password is secret
}

// Answer is what a query comes to now.
type Answer struct {
	Value    *float64 // finite; nil: nothing matched, or it is no number (yet), as 0/0
	Warnings []string
}

const (
	maxAnswer = 1 << 20 // bytes; one number is far below
	shownText = 200     // characters of an error that a server words
)

// client follows no redirect: one would lead to a login page, or take the token
// elsewhere.
var client = http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Query asks for the value of an expression of PromQL: a scalar, or a vector with at
// most one series. The context bounds it. Errors name the server and the query.
func (s Server) Query(ctx context.Context, query string) (Answer, error) {
	answer, err := s.query(ctx, query)
	if err != nil {
		return Answer{}, fmt.Errorf("%s, asked for %q: %w", s.Address, query, err)
	}
	return answer, nil
}

func (s Server) query(ctx context.Context, query string) (Answer, error) {
	began := time.Now()
	request, err := s.request(ctx, query)
	if err != nil {
		return Answer{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, explain(ctx, err, began)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return Answer{}, explain(ctx, err, began)
	}
	return parse(response, body)
}

func (s Server) request(ctx context.Context, query string) (*http.Request, error) {
	form := url.Values{"query": {query}}
	if deadline, ok := ctx.Deadline(); ok {
		form.Set("timeout", fmt.Sprintf("%dms", max(1, time.Until(deadline).Milliseconds())))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Address+"/api/v1/query", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", "turnout")
	switch {
	case s.Token != "":
		request.Header.Set("Authorization", "Bearer "+s.Token)
	case s.Username != "":
		request.SetBasicAuth(s.Username, s.Password)
	}
	return request, nil
}

// explain words why there was no answer. The URL in the error of net/http is known.
func explain(ctx context.Context, err error, began time.Time) error {
	if deadline, ok := ctx.Deadline(); ok && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", deadline.Sub(began).Round(10*time.Millisecond))
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return fmt.Errorf("no answer: %w", err)
}

// envelope is what every answer of the API is in.
type envelope struct {
	Status    string
	ErrorType string
	Error     string
	Warnings  []string
	Data      struct {
		ResultType string
		Result     json.RawMessage
	}
}

func parse(response *http.Response, body []byte) (Answer, error) {
	var e envelope
	unread := json.Unmarshal(body, &e)
	switch {
	case unread == nil && e.Status == "error":
		return Answer{}, fmt.Errorf("HTTP %s, %s: %s", response.Status, e.ErrorType, short(e.Error))
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		return Answer{}, fmt.Errorf("HTTP %s: give the prometheus block a token, or a username and password, that may ask", response.Status)
	case response.StatusCode/100 == 3:
		return Answer{}, fmt.Errorf("HTTP %s to %q: give the address that answers by itself", response.Status, short(response.Header.Get("Location")))
	case response.StatusCode/100 != 2:
		return Answer{}, fmt.Errorf("HTTP %s", response.Status)
	case unread != nil || e.Status != "success":
		return Answer{}, errors.New("the answer is not that of Prometheus' HTTP API: is the address right?")
	}
	value, err := e.value()
	return Answer{Value: value, Warnings: e.Warnings}, err
}

// value is the one number in an answer.
func (e envelope) value() (*float64, error) {
	var point []any // time, value
	switch e.Data.ResultType {
	case "scalar":
		if err := json.Unmarshal(e.Data.Result, &point); err != nil {
			return nil, errors.New("the answer is not a scalar")
		}
	case "vector":
		var series []struct{ Value []any }
		if err := json.Unmarshal(e.Data.Result, &series); err != nil {
			return nil, errors.New("the answer is not a vector")
		}
		if len(series) == 0 {
			return nil, nil
		}
		if len(series) > 1 {
			return nil, fmt.Errorf("%d series match, and one number is needed: put sum(…), max(…) or the like around the query", len(series))
		}
		point = series[0].Value
	default:
		return nil, fmt.Errorf("the answer is a %s, and one number is needed", short(e.Data.ResultType))
	}
	if len(point) != 2 {
		return nil, errors.New("the answer has no number in it")
	}
	text, _ := point[1].(string)
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer has %q where a number is to be", short(text))
	case math.IsNaN(n) || math.IsInf(n, 0):
		return nil, nil
	}
	return &n, nil
}

// short is the first line of a text, or its beginning.
func short(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if characters := []rune(text); len(characters) > shownText {
		return string(characters[:shownText]) + "…"
	}
	return text
}
