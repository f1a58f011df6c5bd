package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/elb/elbtest"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

var (
	shownCommands = regexp.MustCompile(`(?m)^    turnout ([^#\n]+)`)
	jsonFence     = regexp.MustCompile("(?ms)^```json\n(.*?)^```$")
)

// TestDocumentedLoadBalancer runs the commands of docs/elb.md, in their order, with
// its spec on one server, and holds the policy to the calls that this takes.
func TestDocumentedLoadBalancer(t *testing.T) {
	lb := elbtest.New()
	t.Cleanup(lb.Close)
	data, err := os.ReadFile("../../docs/elb.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(data)
	s := cloudSite(t, lb, hclFence.FindStringSubmatch(doc)[1])

	s.release("dist")
	said := make(map[string]string)
	for _, match := range shownCommands.FindAllStringSubmatch(doc, -1) {
		command := strings.TrimSpace(match[1])
		if command == "rollback" { // there has to be something to go back to
			s.write("next/version", "next")
			lb.Add(elbtest.Blue, "127.0.0.9", "1") // and somebody's target to take out
			s.run(0, "deploy", "-release", "next")
			answers(t, lb, "next")
		}
		said[command] = s.run(0, strings.Fields(command)...)
	}
	answers(t, lb, "dist")
	for command, word := range map[string]string{
		"deploy -release dist -dry-run": "-  nothing is forwarded to it", "deploy -release dist": "load balancer shop finds every server of blue healthy",
		"status": "http://shop.example.com", "recover": "nothing",
	} {
		if !strings.Contains(said[command], word) {
			t.Errorf("turnout %s does not say %q:\n%s", command, word, said[command])
		}
	}

	called := make(map[string]bool)
	for _, call := range lb.Calls() {
		called["elasticloadbalancing:"+call] = true
	}
	if allowed, used := policy(t, doc), slices.Sorted(maps.Keys(called)); !slices.Equal(allowed, used) {
		t.Errorf("the policy allows %v, and these were called: %v", allowed, used)
	}
}

// cloudSite is a directory with a spec for this machine and a load balancer.
func cloudSite(t *testing.T, lb *elbtest.Server, spec string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, dir: dir}
	for name, text := range elbtest.Credentials {
		s.env = append(s.env, name+"="+text)
	}
	start := fmt.Sprintf("sh %[1]s/stop ${slot.name}; setsid shop & echo $! >%[1]s/${slot.name}.pid", dir)
	s.write("deploy.hcl", strings.NewReplacer(
		`host = "web01.example.com"`, `connection = "local"`, "10.0.1.11", "127.0.0.1", ", server.web02]", "]",
		"/srv/shop", dir+"/root", "sudo systemctl restart shop@${slot.name}", start, "sudo systemctl stop shop@${slot.name}", "sh "+dir+"/stop ${slot.name}",
		"8081", fmt.Sprint(proxytest.FreePort(t)), "8082", fmt.Sprint(proxytest.FreePort(t)),
		`  proxy "aws_elb" {`, fmt.Sprintf("  watch = \"200ms\"\n  state_dir = %q\n  proxy \"aws_elb\" {\n    endpoint = %q", dir+"/state", lb.Endpoint()),
	).Replace(spec))
	s.write("stop", fmt.Sprintf(stopScript, dir))
	t.Cleanup(func() { _ = exec.Command("sh", "-c", fmt.Sprintf("kill $(cat %s/*.pid)", dir)).Run() })
	return s
}

// answers fails the test unless the load balancer leads to that version.
func answers(t *testing.T, lb *elbtest.Server, version string) {
	t.Helper()
	response, err := http.Get(lb.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != version {
		t.Fatalf("the load balancer leads to %q %v, want %q", body, err, version)
	}
}

// policy are the actions that the documented policy allows.
func policy(t *testing.T, doc string) []string {
	t.Helper()
	var p struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(jsonFence.FindStringSubmatch(doc)[1]), &p); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, statement := range p.Statement {
		all = append(all, statement.Action...)
	}
	return slices.Sorted(slices.Values(all))
}
