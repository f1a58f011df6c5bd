package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/github/githubtest"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/state"
)

// injections are texts that do something where they are taken for more than text.
// What a shell makes of them is a file called pwned.
var injections = []string{
	"$(touch pwned)", "`touch pwned`", "; touch pwned;", "' touch pwned '", `"; touch pwned; "`, "a\ntouch pwned\n", "a\r::error::pwned",
	"::set-output name=outcome::pwned", "  ::stop-commands::pwned", "::add-mask::a", "x ##[error]pwned", "::group::pwned",
	"\x1b]0;pwned\a", "\x1b[2J\x1b[1;1H", "\u009b2J", "\u202egnp.exe",
	"{{.Secret}}", "${env(\"HOME\")}", "%{ for x in y }", "; } include /etc/passwd; server {", "a\n  server pwned 10.0.0.1:80\n", "../../etc/passwd",
	"</details><script>alert(1)</script>", "](javascript:pwned)", "| a | **b** |", "```\n# pwned", "@everyone #1", "\"]; click n1 \"javascript:pwned\"", "]]></failure><testcase name=\"pwned\"/>",
	"outcome<<EOF\npwned\nEOF",
}

// placed has a place for a text of somebody else wherever a spec takes one by type.
const placed = `
variable "text" {}

environment "shop" {
  root      = var.text
  state_dir = var.text

  slot "blue" {
    port = var.text
  }

  slot "green" {
    socket = var.text
  }

  health {
    http {
      path = var.text
      host = var.text
    }
  }

  proxy "nginx" {
    listen    = var.text
    hostname  = var.text
    config    = var.text
    main      = var.text
    error_log = var.text
  }
}

server "web" {
  host    = var.text
  address = var.text
  user    = var.text
  tags    = [var.text]
}
`

// TestInjectionsAreRefused plants every injection in every value that becomes a
// part of a configuration, a path or an address: each is an error with its place.
func TestInjectionsAreRefused(t *testing.T) {
	t.Parallel()
	s := &site{t: t, dir: t.TempDir(), env: []string{"GITHUB_ACTIONS=true"}}
	s.write("deploy.hcl", placed)
	for _, text := range injections {
		output := s.run(2, "validate", "-var", "text="+text)
		for i, line := range strings.Split(placed, "\n") {
			if strings.Contains(line, "var.text") && !strings.Contains(output, fmt.Sprintf("(deploy.hcl:%d,", i+1)) {
				t.Errorf("line %d takes %q:\n%s", i+1, text, line)
			}
		}
		s.inert("validate "+text, output)
	}
}

const hostilePipeline = `
environment "shop" {
  root      = "%[1]s/root"
  state_dir = "%[1]s/state"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = 8082
  }

  start = "true"
  stop  = "true"

  proxy "nginx" {
    listen = 80
    config = "%[1]s/shop.conf"
  }
}

pipeline "hostile" {
  stage "tells" {
    env = { TITLE = github.title, BODY = github.body, BRANCH = github.head_ref, WHO = github.actor }
    run = "printf '%%s\n' \"$TITLE\" \"$BODY\"; printf '%%s\n' \"$BRANCH\" >&2; { echo 'text<<outputs'; echo \"$TITLE\"; echo outputs; } >$TURNOUT_OUTPUT; mkdir -p out; echo x >\"out/$(head -n 1 name)\""
  }

  stage "fails" {
    needs = [stage.tells]
    env   = { TEXT = stage.tells.outputs.text }
    run   = "echo \"$TEXT\"; exit 3"
  }

  artifact "app" {
    path = "out"
    when = failed()
  }
}
`

// hostile is a job for a pull request all words of which are injections, as are
// those of the history of what it deploys.
func hostile(t *testing.T) (*site, *githubtest.Server) {
	t.Helper()
	all := strings.Join(injections, "\n")
	s, hub := &site{t: t, dir: t.TempDir()}, githubtest.Start(t)
	s.write("deploy.hcl", fmt.Sprintf(hostilePipeline, s.dir))
	s.write("name", "##[error]::pwned\x1b[2J")
	for _, name := range []string{"output", "summary", "gh-state"} {
		s.write(name, "")
	}
	repo := map[string]any{"full_name": githubtest.Repository}
	text, err := json.Marshal(map[string]any{"pull_request": map[string]any{
		"number": 7, "title": all, "body": all, "head": map[string]any{"sha": "beef", "repo": repo}, "base": map[string]any{"repo": repo},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.write("event.json", string(text))
	for name, value := range hub.Env() {
		s.env = append(s.env, name+"="+value)
	}
	s.env = append(s.env, "INPUT_TOKEN="+githubtest.Token, "GITHUB_EVENT_NAME=pull_request", "GITHUB_ACTOR="+all, "GITHUB_HEAD_REF="+all, "GITHUB_REF="+all,
		"GITHUB_EVENT_PATH="+filepath.Join(s.dir, "event.json"), "GITHUB_WORKSPACE="+s.dir, "GITHUB_OUTPUT="+filepath.Join(s.dir, "output"),
		"GITHUB_STEP_SUMMARY="+filepath.Join(s.dir, "summary"), "GITHUB_STATE="+filepath.Join(s.dir, "gh-state"))
	past := state.Deploy{Time: time.Now(), Run: "r1", Actor: all, Command: "deploy", Commit: all, Outcome: "failed", Reason: all, To: all, ToRelease: all}
	if _, err := state.Record.On(context.Background(), machine.NewLocal("here"), state.Recording{Dir: filepath.Join(s.dir, "state"), Deploy: past}); err != nil {
		t.Fatal(err)
	}
	return s, hub
}

// TestInjectionsAreInert has them in the event, in outputs, in names of files, in
// arguments and in a history, and looks at whatever turnout writes.
func TestInjectionsAreInert(t *testing.T) {
	t.Parallel()
	s, hub := hostile(t)
	all := strings.Join(injections, "\n")
	for _, try := range []struct {
		code int
		args []string
	}{
		{1, []string{"run"}}, {1, []string{"run", "-verbose"}}, {1, []string{"run", "-json"}}, {0, []string{"artifacts", "get", "-list", "app"}},
		{0, []string{"history"}}, {0, []string{"history", "-json"}}, {0, []string{"report"}}, {2, []string{"report", all}},
		{2, []string{"artifacts", "get", all}}, {2, []string{"run", all}}, {2, []string{"deploy", "-release", "x", all}}, {2, []string{all}},
	} {
		s.inert(strings.Join(try.args, " "), s.run(try.code, try.args...))
	}
	if _, err := os.Stat(filepath.Join(s.dir, "pwned")); err == nil {
		t.Error("a shell has run what it was given as a text")
	}
	files := map[string]string{"comments": strings.Join(hub.Bodies(), "\n")}
	for _, name := range []string{"summary", ".turnout/runs"} {
		s.collect(name, files)
	}
	seen := 0
	for name, text := range files {
		if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".jsonl") {
			continue // data, as it came
		}
		seen++
		for _, markup := range []string{"<script", "<testcase name=\"pwned\"", "\x1b"} {
			if strings.Contains(formatting(t, name, text), markup) {
				t.Errorf("%s has %q", name, markup)
			}
		}
	}
	if seen < 13 { // a summary, comments, four reports of three runs
		t.Errorf("only %d files were looked at", seen)
	}
}

// formatting is a file without what its format itself says is nothing but text:
// of Markdown the blocks of code, of XML the character data.
func formatting(t *testing.T, name, text string) string {
	t.Helper()
	switch filepath.Ext(name) {
	case ".html", ".json":
		return text
	case ".xml":
		return elements(t, text)
	}
	var rest strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && strings.TrimSpace(line) == fence:
			fence = ""
		case fence == "":
			rest.WriteString(line)
		}
	}
	if fence != "" {
		t.Errorf("%s: a block of code does not end", name)
	}
	return rest.String()
}

// elements are the tags of an XML document.
func elements(t *testing.T, text string) string {
	t.Helper()
	var tags strings.Builder
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := decoder.Token()
		if err == io.EOF {
			return tags.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			fmt.Fprintf(&tags, "<%s", start.Name.Local)
			for _, a := range start.Attr {
				fmt.Fprintf(&tags, " %s=\"%s\"", a.Name.Local, html.EscapeString(a.Value))
			}
			tags.WriteString(">\n")
		}
	}
}

// runnerCommand is what GitHub's runner obeys: "::" after blanks, "##[" anywhere.
var runnerCommand = regexp.MustCompile(`^\s*::([a-z-]+)|##\[`)

// inert fails the test where output gives a terminal or GitHub's runner a command
// that is not turnout's own.
func (s *site) inert(what, output string) {
	s.t.Helper()
	for line := range strings.SplitSeq(strings.ReplaceAll(output, "\r", "\n"), "\n") {
		match := runnerCommand.FindStringSubmatch(line)
		if line == "::add-mask::"+githubtest.Token {
			continue
		}
		own := match != nil && (match[1] == "error" || match[1] == "group" || match[1] == "endgroup") && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "::group::pwned") && !strings.HasPrefix(line, "::error::pwned")
		if match != nil && !own {
			s.t.Errorf("%.40q: the runner takes a command from %q", what, line)
		}
	}
	plain := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(output, "")
	if i := strings.IndexAny(plain, "\x1b\a\u009b\u202e"); i >= 0 {
		s.t.Errorf("%.40q: a control character gets through: %q", what, plain[max(0, i-30):min(len(plain), i+30)])
	}
}
