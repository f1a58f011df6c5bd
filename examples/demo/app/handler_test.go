package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandler(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		method string
		path   string
		body   string
		status int
		want   string
	}{
		{"site", Config{Version: "v1", Healthy: true}, "GET", "/", "", 200, "<title>"},
		{"healthy", Config{Version: "v1", Healthy: true}, "GET", "/healthz", "", 200, `"ok","version":"v1"`},
		{"not healthy", Config{Version: "v3"}, "GET", "/healthz", "", 503, "database of v3 is missing"},
		{"upload", Config{Version: "v1"}, "POST", "/upload", "picture", 200, "7"},
		{"no such page", Config{Version: "v1"}, "GET", "/nothing", "", 404, ""},
		{"wrong method", Config{Version: "v1"}, "GET", "/upload", "", 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := httptest.NewRecorder()
			request := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			handler(test.config, "blue", "site").ServeHTTP(answer, request)
			if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.want) {
				t.Errorf("answered %d %q, want %d %q", answer.Code, answer.Body, test.status, test.want)
			}
			if got := answer.Header(); got.Get("X-Slot") != "blue" || got.Get("X-Release") != test.config.Version || got.Get("X-Arr") == "" {
				t.Errorf("headers %v", got)
			}
		})
	}
}

func TestReadConfig(t *testing.T) {
	if config, err := readConfig("config.json"); err != nil || config.Version == "" {
		t.Errorf("config.json: %+v, %v", config, err)
	}
	if _, err := readConfig("site/index.html"); err == nil {
		t.Error("a page is no configuration")
	}
}
