package main

import (
	"net/http/httptest"
	"testing"
)

func TestHealth(t *testing.T) {
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, httptest.NewRequest("GET", "/healthz", nil))
	if answer.Code != 200 || answer.Body.String() != "ok" {
		t.Errorf("%d %q", answer.Code, answer.Body)
	}
}
