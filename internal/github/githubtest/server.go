// Package githubtest is a GitHub for tests: the part of its REST API that turnout
// speaks, with a memory, pages, permissions and limits, as
// https://docs.github.com/en/rest describes it.
package githubtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	// Repository is the one repository that there is.
	Repository = "org/shop"
	// Token is the token that opens it.
	Token = "ghs_0123456789abcdefghijABCDEFGHIJ012345"
	// Login is whose token that is, as comments show it.
	Login = "github-actions[bot]"
)

// Server is one GitHub.
type Server struct {
	URL string // of the API

	mu          sync.Mutex
	last        int64 // id
	deployments []*Deployment
	comments    []*Comment
	pulls       map[int]string // repository of the head
	bodies      []string
	refuse      func(*http.Request) *Refusal
}

// Deployment is one with its statuses, oldest first.
type Deployment struct {
	ID          int64           `json:"id"`
	Ref         string          `json:"ref"`
	Environment string          `json:"environment"`
	Transient   bool            `json:"transient_environment"`
	Production  bool            `json:"production_environment"`
	Payload     json.RawMessage `json:"payload"`
	Statuses    []Status        `json:"-"`
}

// State is that of its last status.
func (d Deployment) State() string {
	if len(d.Statuses) == 0 {
		return "pending"
	}
	return d.Statuses[len(d.Statuses)-1].State
}

// Status is what was told of a deployment.
type Status struct {
	State       string `json:"state"`
	Description string `json:"description"`
	LogURL      string `json:"log_url"`
	URL         string `json:"environment_url"`
}

// Comment is one of a pull request.
type Comment struct {
	ID    int64  `json:"id"`
	Issue int    `json:"-"`
	Body  string `json:"body"`
	User  User   `json:"user"`
}

// User is who wrote something.
type User struct {
	Login string `json:"login"`
}

// Refusal is an answer that is not the right one.
type Refusal struct {
	Code    int
	Header  map[string]string
	Message string
	Done    bool // what was asked for is done nevertheless
}

// Start starts a GitHub on a free port of this machine.
func Start(t testing.TB) *Server { return StartAt(t, "127.0.0.1") }

// StartAt starts one on a free port of an address of this machine.
func StartAt(t testing.TB, address string) *Server {
	t.Helper()
	s := &Server{pulls: make(map[int]string)}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: s.handler()}}
	server.Start()
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Env is what a runner of this GitHub tells jobs.
func (s *Server) Env() map[string]string {
	return map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": s.URL, "GITHUB_GRAPHQL_URL": s.URL + "/graphql", "GITHUB_SERVER_URL": s.URL,
		"GITHUB_REPOSITORY": Repository, "GITHUB_RUN_ID": "41", "GITHUB_SHA": "cafe", "GITHUB_REF": "refs/heads/main",
	}
}

// Refuse has what comes from now on answered with what answer returns; nil is the
// right answer. It may take its time: the server answers side by side.
func (s *Server) Refuse(answer func(*http.Request) *Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = answer
}

// Deployments are all of an environment, oldest first.
func (s *Server) Deployments(environment string) []Deployment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Deployment
	for _, d := range s.deployments {
		if d.Environment == environment {
			one := *d
			one.Statuses = slices.Clone(d.Statuses)
			found = append(found, one)
		}
	}
	return found
}

// Comments are all of a pull request, oldest first.
func (s *Server) Comments(pull int) []Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Comment
	for _, c := range s.comments {
		if c.Issue == pull {
			found = append(found, *c)
		}
	}
	return found
}

// Say adds somebody's comment to a pull request.
func (s *Server) Say(pull int, login, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comments = append(s.comments, &Comment{ID: s.id(), Issue: pull, Body: body, User: User{login}})
}

// Forget removes all comments of a pull request.
func (s *Server) Forget(pull int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comments = slices.DeleteFunc(s.comments, func(c *Comment) bool { return c.Issue == pull })
}

// Propose opens a pull request from a repository; "" is one that is gone.
func (s *Server) Propose(pull int, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulls[pull] = from
}

// Bodies are those of all requests so far.
func (s *Server) Bodies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

func (s *Server) id() int64 {
	s.last++
	return s.last
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	at := func(pattern string, do func(*http.Request, []byte) (int, any)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /repos/"+Repository+path, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, do) })
	}
	at("GET /pulls/{number}", s.pull)
	at("GET /deployments", s.listDeployments)
	at("POST /deployments", s.newDeployment)
	at("GET /deployments/{id}/statuses", s.listStatuses)
	at("POST /deployments/{id}/statuses", s.newStatus)
	at("GET /issues/{number}/comments", s.listComments)
	at("POST /issues/{number}/comments", s.newComment)
	at("PATCH /issues/comments/{id}", s.editComment)
	at("DELETE /issues/comments/{id}", s.removeComment)
	mux.HandleFunc("POST /graphql", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, viewer) })
	return mux
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, do func(*http.Request, []byte) (int, any)) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, string(body))
	refuse := s.refuse
	s.mu.Unlock()
	var refusal *Refusal
	if refuse != nil {
		refusal = refuse(r)
	}
	if r.Header.Get("Authorization") != "Bearer "+Token {
		refusal = &Refusal{Code: http.StatusUnauthorized, Message: "Bad credentials"}
	}
	if refusal == nil || refusal.Done {
		s.mu.Lock()
		defer s.mu.Unlock()
		code, answer := do(r, body)
		if refusal == nil {
			write(w, r, code, answer)
			return
		}
	}
	for name, value := range refusal.Header {
		w.Header().Set(name, value)
	}
	write(w, r, refusal.Code, map[string]string{"message": refusal.Message})
}

func write(w http.ResponseWriter, r *http.Request, code int, answer any) {
	if list, ok := answer.(page); ok {
		answer = list.of(w, r)
	}
	w.WriteHeader(code)
	if answer != nil {
		_ = json.NewEncoder(w).Encode(answer) // who has gone needs no answer
	}
}

// page is a list of which an answer has a part.
type page []any

func (p page) of(w http.ResponseWriter, r *http.Request) []any {
	size, number := atoi(r.URL.Query().Get("per_page"), 30), atoi(r.URL.Query().Get("page"), 1)
	from := min((number-1)*size, len(p))
	until := min(from+size, len(p))
	if until < len(p) {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, number+1))
	}
	return append([]any{}, p[from:until]...)
}

func atoi(text string, fallback int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return fallback
}

func viewer(_ *http.Request, body []byte) (int, any) {
	if !strings.Contains(string(body), "viewer { login }") {
		return http.StatusOK, map[string]any{"errors": []map[string]string{{"message": "unknown query"}}}
	}
	return http.StatusOK, map[string]any{"data": map[string]any{"viewer": User{Login}}}
}

func missing() (int, any) {
	return http.StatusNotFound, map[string]string{"message": "Not Found"}
}

func invalid(why string) (int, any) {
	return http.StatusUnprocessableEntity, map[string]string{"message": "Validation Failed: " + why}
}

func (s *Server) pull(r *http.Request, _ []byte) (int, any) {
	from, known := s.pulls[atoi(r.PathValue("number"), 0)]
	if !known {
		return missing()
	}
	head := map[string]any{"repo": nil}
	if from != "" {
		head["repo"] = map[string]string{"full_name": from}
	}
	base := map[string]any{"repo": map[string]string{"full_name": Repository}}
	return http.StatusOK, map[string]any{"head": head, "base": base}
}
