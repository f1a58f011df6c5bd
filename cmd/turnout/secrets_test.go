package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/github/githubtest"
	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
	"github.com/org/deploy-action/templates"
)

// secrets are thirty of the kinds that people have.
var secrets = []string{
	"ghp_16C7e42F292c6912E7710c838347Ae178B4a", "glpat-Xy7_pQ2rS9tUvWx3yZ4A", "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
	"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
	"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\nbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQy\nNTUxOQ==\n-----END OPENSSH PRIVATE KEY-----\n",
	"-----BEGIN CERTIFICATE-----\r\nMIIBszCCAVmgAwIBAgIUJx8w\r\n-----END CERTIFICATE-----",
	`p$(id)a;s|s&w"o'r>d`, "it's `whoami`", `back\slash\n`, "<script>alert('x')</script>", "a&b=c&d=e", "100%sure%20", `{"json": "va'lue"}`,
	"pass word with blanks", "tab\tin it", "#not a comment", "${var.token}", "{{.Secret}}", "; }include /etc/passwd;",
	"postgres://shop:kw9%2Fzz@db.example.com/shop", "::warning::w7Kq2", "prefix-of-another", "prefix-of-another-one",
	"пароль-секрет", "密码是秘密的", "🔑emoji-key🔑", "q7~",
}

// written is a secret in the encodings that programs print it in.
func written(secret string) map[string]string {
	quoted, _ := json.Marshal(secret) // a string always encodes
	all := map[string]string{
		"JSON": strings.Trim(string(quoted), `"`), "query": url.QueryEscape(secret), "path": url.PathEscape(secret),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64 of URLs": base64.URLEncoding.EncodeToString([]byte(secret)),
		"raw base64": base64.RawStdEncoding.EncodeToString([]byte(secret)), "hex": hex.EncodeToString([]byte(secret)),
		"HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for _, line := range strings.FieldsFunc(secret, func(r rune) bool { return r == '\n' || r == '\r' }) {
		all["plain "+line] = line
		all["HTML "+line] = html.EscapeString(line)
		all["shell "+line] = strings.ReplaceAll(line, "'", `'\''`)
	}
	for before := range 3 {
		all[fmt.Sprint("base64 after ", before)] = base64.StdEncoding.EncodeToString([]byte("uuu"[:before] + secret + "::"))
	}
	return all
}

// kept is the part of a text by which it is looked for: of base64 without what
// its neighbours have a part in; "" where nothing is left that only a secret is.
func kept(kind, text string) string {
	if strings.HasPrefix(kind, "base64 after") {
		text = text[4:max(4, len(text)-8)]
	}
	if len(text) < 6 && !strings.HasPrefix(kind, "plain") {
		return ""
	}
	return text
}

// leaky is a site on GitHub whose spec has the secrets, and the commands of which
// put all of them out in every encoding, some of them in two writes. plain is the
// file that they have them from.
func leaky(t *testing.T, kind proxy.Kind) (s *site, hub *githubtest.Server, plain string) {
	t.Helper()
	s, hub = onGitHub(t, kind)
	var leaks, variables strings.Builder
	for i, secret := range secrets {
		fmt.Fprintf(&variables, "variable \"s%d\" {\n  sensitive = true\n}\n\n", i)
		s.env = append(s.env, fmt.Sprintf("TURNOUT_VAR_s%d=%s", i, secret))
		for _, text := range written(secret) {
			fmt.Fprintf(&leaks, "<%s>\n", text)
		}
	}
	for _, text := range written(secrets[0]) { // of what fails, the last lines are told
		fmt.Fprintf(&leaks, "<%s>\n", text)
	}
	plain = filepath.Join(t.TempDir(), "leaks")
	if err := os.WriteFile(plain, []byte(leaks.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.write("deploy.hcl", variables.String()+strings.Replace(s.text("deploy.hcl"), "start = \"", "start = \"cat "+plain+"; [ -e $TURNOUT_PATH/sick ] && exit 9; ", 1)+fmt.Sprintf(leakyPipeline, plain))
	return s, hub, plain
}

const leakyPipeline = `
server "here" {
  connection = "local"
}

task "leaks" {
  target = server.here
  env    = { S0 = var.s0 }
  run    = "cat %[1]s; echo $S0 >&2; exit 3"
}

pipeline "leaks" {
  stage "puts_out" {
    env = { S0 = var.s0 }
    run = "cat %[1]s; cat %[1]s >&2; dd if=%[1]s bs=7 status=none; echo $S0; { echo 'all<<END'; cat %[1]s; echo END; } >$TURNOUT_OUTPUT"
  }

  stage "passes_on" {
    needs = [stage.puts_out]
    env   = { ALL = stage.puts_out.outputs.all }
    run   = "echo \"$ALL\"; tail -n 5 %[1]s; exit 3"
  }
}
`

const leakyPreview = `
preview "shop" {
  server    = server.here
  root      = "%[1]s/previews/${preview.name}"
  hostname  = "pr-${github.pull_request}.preview.example.com"
  ports     = "%[2]d-%[2]d"
  state_dir = "%[1]s/state/previews"
  start     = "S0='${var.s0}'; cat %[3]s; [ -e $TURNOUT_PATH/sick ] && exit 9; setsid shop & echo $! >%[1]s/preview.pid"
  stop      = "S0='${var.s0}'; sh %[1]s/stop preview"

  health {
    interval = "50ms"

    http {
      path = "/"
    }
  }

  proxy "nginx" {
    listen     = "%[4]s"
    config_dir = "%[1]s/conf.d"
    main       = "%[5]s"
    error_log  = "%[6]s"
  }
}
`

// putOut is what turnout has written, by where.
type putOut map[string]string

// run is site.run that keeps what was shown.
func (p putOut) run(s *site, code int, args ...string) {
	s.t.Helper()
	var shown []string
	for line := range strings.Lines(s.run(code, args...)) {
		if !strings.HasPrefix(line, "::add-mask::") { // GitHub is told them, to mask them too
			shown = append(shown, line)
		}
	}
	name := strings.Join(args, " ")
	for _, again := p[name]; again; _, again = p[name] {
		name += " again"
	}
	p[name] = strings.Join(shown, "")
}

// check fails for every secret that is anywhere, in any encoding.
func (p putOut) check(t *testing.T) {
	t.Helper()
	for _, secret := range secrets {
		for kind, text := range written(secret) {
			for where, output := range p {
				if text := kept(kind, text); text != "" && strings.Contains(output, text) {
					t.Errorf("%s shows a secret, %s: %q", where, kind, text)
				}
			}
		}
	}
}

// TestNoSecretIsPutOut plants thirty secrets, has them printed in every encoding by
// stages, outputs, errors, starting slots and previews, and looks for them wherever
// turnout writes anything.
func TestNoSecretIsPutOut(t *testing.T) {
	t.Parallel()
	s, hub, plain := leaky(t, proxy.NGINX)
	site := s.proxy.Site
	s.write("deploy.hcl", s.text("deploy.hcl")+fmt.Sprintf(leakyPreview, s.dir, proxytest.FreePort(t), plain, site.Listen, site.Main, site.ErrorLog))
	outputs := make(putOut)
	try := func(code int, args ...string) {
		t.Helper()
		outputs.run(s, code, args...)
	}
	try(1, "run", "leaks")
	try(1, "run", "-verbose", "leaks")
	try(1, "run", "-json", "leaks")
	try(1, "task", "leaks")
	try(1, "task", "-json", "leaks")
	try(0, "servers", "metrics", "-json")
	try(0, "plan", "leaks")
	try(0, "plan", "-json", "leaks")
	try(0, "deploy", "-release", s.release("v1"))
	try(0, "preview", "up", "-release", "v1")
	s.write(s.release("v2")+"/sick", "")
	try(1, "deploy", "-release", "v2")
	try(1, "preview", "up", "-release", "v2")
	for i := range secrets {
		if i%10 == 9 {
			try(1, "deploy", "-release", "no/"+secrets[i])
		}
	}
	try(0, "preview", "list", "-json")
	try(0, "preview", "sync", "-json", "-open", "")
	try(0, "status")
	try(0, "history")
	try(0, "export")
	for _, name := range []string{"output", "summary", "gh-state", ".turnout", "state", "conf.d", "root"} {
		s.collect(name, outputs)
	}
	outputs["GitHub"] = strings.Join(hub.Bodies(), "\n")
	if len(outputs) < 30 || !strings.Contains(outputs["run leaks"], "***") || len(hub.Comments(7)) == 0 {
		t.Fatalf("%d outputs, %d comments: little was put out\n%s", len(outputs), len(hub.Comments(7)), outputs["run leaks"])
	}
	if failed := outputs["preview up -release v2"]; !strings.Contains(failed, "***") || !strings.Contains(failed, "runs as before") {
		t.Errorf("the preview that failed:\n%s", failed)
	}
	outputs.check(t)
}

// TestNoSecretIsPutOutBehindHAProxy has the secrets printed by slots and by what
// checks and reloads HAProxy, and plants them in a template: of one that can't be
// used, errors of Go and of HAProxy have a part.
func TestNoSecretIsPutOutBehindHAProxy(t *testing.T) {
	t.Parallel()
	s, hub, plain := leaky(t, proxy.HAProxy)
	outputs := make(putOut)
	try := func(code int, args ...string) {
		t.Helper()
		outputs.run(s, code, args...)
	}
	try(0, "deploy", "-release", s.release("v1"))
	s.edit("listen    = ", "template = \"ours.tmpl\"\nlisten = ")
	s.write("ours.tmpl", templates.HAProxy+"# to be checked and loaded\n")
	spec := s.text("deploy.hcl")
	for _, command := range []string{"check = \"cat %s; exit 1\"\nreload = \"", "reload = \"cat %s; exit 1; "} {
		s.write("deploy.hcl", spec)
		s.edit("reload = \"", fmt.Sprintf(command, plain))
		try(1, "deploy", "-release", s.release("v2"))
	}
	s.write("deploy.hcl", spec)
	s.write("v2/sick", "")
	try(1, "deploy", "-release", "v2")
	for _, name := range []string{"state", "conf.d", "root"} { // where a template is, is what is in it
		s.collect(name, outputs)
	}

	leaks, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		more string
		args []string
	}{
		{"\nbackend leaks\n  " + strings.NewReplacer("{{", "{{`{{`}}", "\n", "\n  ").Replace(string(leaks)), []string{"deploy", "-release", s.release("v3")}},
		{"{{" + secrets[0] + "}}", []string{"render", "-out", "rendered"}},
		{"{{template `" + secrets[4] + "` .}}", []string{"deploy", "-dry-run", "-release", "v3"}},
	} {
		s.write("ours.tmpl", templates.HAProxy+test.more+"\n")
		try(1, test.args...)
	}
	s.edit("ours.tmpl", secrets[0]) // there is no such file
	try(2, "render", "-out", "rendered")

	for _, name := range []string{"output", "summary", "gh-state", ".turnout"} {
		s.collect(name, outputs)
	}
	outputs["GitHub"] = strings.Join(hub.Bodies(), "\n")
	masked := 0
	for _, output := range outputs {
		masked += strings.Count(output, "***")
	}
	if len(outputs) < 20 || masked < 50 {
		t.Fatalf("%d outputs with %d masks: little was put out", len(outputs), masked)
	}
	outputs.check(t)
}

// collect adds the files at and below a path of the site.
func (s *site) collect(name string, to map[string]string) {
	s.t.Helper()
	err := filepath.WalkDir(filepath.Join(s.dir, name), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if name := filepath.Base(path); !slices.Contains([]string{"blue.log", "green.log", "start.log"}, name) { // the application's own
			to[path] = string(text)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
