package rollout

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/spec"
)

// queries are a prometheus block as a spec has it.
func queries(t *testing.T, address, metrics string) *spec.Analysis {
	t.Helper()
	src := `environment "e" {
  root = "/srv/e"
  slot "blue" {
    port = 1
  }
  slot "green" {
    port = 2
  }
  proxy "nginx" {
    listen = 80
    config = "/etc/nginx/conf.d/e.conf"
  }
}
pipeline "p" {
  stage "s" {
    deploy {
      environment = environment.e
      release     = "dist"
      canary {
        analysis {
          source = "prometheus"
          prometheus {
            address = "` + address + `"
            ` + metrics + `
          }
        }
      }
    }
  }
}
`
	s, problems := spec.Parse([]byte(src), "deploy.hcl", spec.Options{Getenv: func(string) string { return "" }})
	if problems.Failed() {
		t.Fatalf("%+v", problems)
	}
	a := s.Pipelines[0].Stages[0].Deploy.Canary.Analysis
	a.Interval = 250 * time.Millisecond
	return a
}

// TestCanaryByPrometheus has a server that speaks the API of Prometheus tell figures
// of both releases while a real nginx parts their requests.
func TestCanaryByPrometheus(t *testing.T) {
	t.Parallel()
	w := newWorld(t, proxy.NGINX)
	w.splits(quickCanary(0, 10)) // no reload for each of them
	w.deploy(testRelease{Version: "v1"})
	w.env.Drain = 20 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch query := r.FormValue("query"); {
		case strings.Contains(query, "("):
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(rw, `{"status":"error","errorType":"bad_data","error":"parse error: unclosed left parenthesis"}`)
		case strings.HasPrefix(query, "nobody"):
			fmt.Fprint(rw, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		case strings.HasPrefix(query, "green bad"):
			fmt.Fprint(rw, `{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}`)
		default:
			fmt.Fprint(rw, `{"status":"success","warnings":["one store is away"],"data":{"resultType":"scalar","result":[1,"0.5"]}}`)
		}
	}))
	defer server.Close()
	metric := func(query string) string {
		return fmt.Sprintf("metric \"errors\" {\n query = \"%s\"\n max = 1\n}", query)
	}
	for _, test := range []struct{ query, reason, serves string }{
		{"${slot.name} bad", "canary: aborted at 10 %: errors is 7, the old release has 0.5; at most 1 is allowed", "v1"},
		{"sum(${slot.release}", "could not be read 4 times in a row: metric errors: " + server.URL + `, asked for "sum(2`, "v1"},
		{"nobody", "errors has no value for the new release: nothing matches its query, or it divides by 0, after 3 times the hold", "v1"},
		{"${slot.name} good", "", "v2"},
	} {
		c := quickCanary(250*time.Millisecond, 10)
		c.Analysis = queries(t, server.URL, metric(test.query))
		result := Run(context.Background(), w.canaryOf(testRelease{Version: "v2"}, c))
		if !strings.Contains(result.Reason, test.reason) || test.reason == "" && result.Outcome != event.Succeeded {
			t.Errorf("%s: %s: %s", test.query, result.Outcome, result.Reason)
		}
		w.serves(test.serves)
		if last := result.Canary.Looks[len(result.Canary.Looks)-1]; test.serves == "v2" && last.Measured() != "errors 0.5 (old 0.5)" {
			t.Errorf("%+v", last)
		}
	}
	warned := 0
	for _, e := range w.events {
		if e.Kind == event.Notice && strings.Contains(e.Note.Text, "Prometheus warns of metric errors: one store is away") {
			warned++
		}
	}
	if warned != 2 { // once in each canary that got as far
		t.Errorf("warned %d times", warned)
	}
}
