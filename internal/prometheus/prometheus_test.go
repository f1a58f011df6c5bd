package prometheus_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/prometheus"
)

// TestQuery holds what each answer of the documented API comes to.
func TestQuery(t *testing.T) {
	t.Parallel()
	success := func(kind, result string) string {
		return `{"status":"success","warnings":["half of it"],"data":{"resultType":"` + kind + `","result":` + result + `}}`
	}
	refused := func(kind, text string) string {
		return fmt.Sprintf(`{"status":"error","errorType":%q,"error":%q}`, kind, text)
	}
	for name, test := range map[string]struct {
		status     int
		body, want string
	}{
		"vector":       {200, success("vector", `[{"metric":{},"value":[1,"0.25"]}]`), "0.25"},
		"scalar":       {200, success("scalar", `[1,"3"]`), "3"},
		"none":         {200, success("vector", `[]`), "no value"},
		"NaN":          {200, success("vector", `[{"metric":{},"value":[1,"NaN"]}]`), "no value"},
		"infinite":     {200, success("scalar", `[1,"+Inf"]`), "no value"},
		"two series":   {200, success("vector", `[{"value":[1,"1"]},{"value":[1,"2"]}]`), "2 series match, and one number is needed: put sum(…)"},
		"histogram":    {200, success("vector", `[{"histogram":[1,{}]}]`), "no number in it"},
		"matrix":       {200, success("matrix", `[]`), "the answer is a matrix"},
		"string":       {200, success("string", `[1,"x"]`), "the answer is a string"},
		"no number":    {200, success("scalar", `[1,"much"]`), `has "much" where a number is to be`},
		"bad scalar":   {200, success("scalar", `{}`), "not a scalar"},
		"bad query":    {400, refused("bad_data", "parse error: unexpected end of input\nat 1"), `HTTP 400 Bad Request, bad_data: parse error: unexpected end of input`},
		"inexecutable": {422, refused("execution", "found duplicate series"), "HTTP 422 Unprocessable Entity, execution: found duplicate series"},
		"overloaded":   {503, refused("timeout", "query timed out in expression evaluation"), "HTTP 503 Service Unavailable, timeout: query timed out"},
		"no API":       {503, "<html>", "HTTP 503 Service Unavailable"},
		"login":        {401, "Unauthorized", "give the prometheus block a token"},
		"sent away":    {302, "", `HTTP 302 Found to "/login": give the address that answers by itself`},
		"not JSON":     {200, "<html>hello</html>", "not that of Prometheus' HTTP API"},
		"other JSON":   {200, "{}", "not that of Prometheus' HTTP API"},
		"late":         {0, "", "no answer within 50ms"},
		"broken off":   {-1, "", "no answer: "},
		"long errors":  {400, refused("bad_data", strings.Repeat("x", 5000)), strings.Repeat("x", 200) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch test.status {
				case 0:
					_, _ = io.Copy(io.Discard, r.Body) // so that it is noticed when the client gives up
					<-r.Context().Done()
				case -1:
					panic(http.ErrAbortHandler)
				default:
					w.Header().Set("Location", "/login")
					w.WriteHeader(test.status)
					fmt.Fprint(w, test.body)
				}
			}))
			defer server.Close()
			patience := 10 * time.Second
			if test.status == 0 {
				patience = 50 * time.Millisecond
			}
			ctx, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			answer, err := prometheus.Server{Address: server.URL}.Query(ctx, "up")
			if got := told(answer, err); !strings.Contains(got, test.want) {
				t.Errorf("%s, want %q in it", got, test.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), server.URL+`, asked for "up": `) {
				t.Errorf("%v does not say who was asked for what", err)
			}
			if err == nil && strings.Join(answer.Warnings, "") != "half of it" {
				t.Errorf("warnings %q", answer.Warnings)
			}
		})
	}
}

func told(answer prometheus.Answer, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case answer.Value == nil:
		return "no value"
	}
	return fmt.Sprint(*answer.Value)
}

// TestQueryAsksAsDocumented holds the request, and that a secret is in no error.
func TestQueryAsksAsDocumented(t *testing.T) {
	t.Parallel()
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.Path+" "+r.FormValue("query")+" "+r.Header.Get("Authorization"))
		if r.FormValue("timeout") == "" {
			t.Error("no timeout")
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	query := `sum(rate(x{slot="green"}[1m])) > 0 & #`
	for _, s := range []prometheus.Server{{Token: "hunter2"}, {Username: "u", Password: "hunter2"}, {}} {
		s.Address = server.URL + "/main"
		if _, err := s.Query(ctx, query); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v", err)
		}
	}
	start := "POST /main/api/v1/query " + query + " "
	want := []string{start + "Bearer hunter2", start + "Basic dTpodW50ZXIy", start}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
