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
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/github/githubtest"
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
// put all of them out in every encoding, some of them in two writes.
func leaky(t *testing.T) (*site, *githubtest.Server) {
	t.Helper()
	s, hub := onGitHub(t)
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
	plain := t.TempDir()
	if err := os.WriteFile(plain+"/leaks", []byte(leaks.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.write("deploy.hcl", variables.String()+strings.Replace(s.text("deploy.hcl"), "start = \"", "start = \"cat "+plain+"/leaks; [ -e $TURNOUT_PATH/sick ] && exit 9; ", 1)+fmt.Sprintf(leakyPipeline, plain))
	return s, hub
}

const leakyPipeline = `
pipeline "leaks" {
  stage "puts_out" {
    env = { S0 = var.s0 }
    run = "cat %[1]s/leaks; cat %[1]s/leaks >&2; dd if=%[1]s/leaks bs=7 status=none; echo $S0; { echo 'all<<END'; cat %[1]s/leaks; echo END; } >$TURNOUT_OUTPUT"
  }

  stage "passes_on" {
    needs = [stage.puts_out]
    env   = { ALL = stage.puts_out.outputs.all }
    run   = "echo \"$ALL\"; tail -n 5 %[1]s/leaks; exit 3"
  }
}
`

// TestNoSecretIsPutOut plants thirty secrets, has them printed in every encoding by
// stages, outputs, errors and starting slots, and looks for them wherever turnout
// writes anything.
func TestNoSecretIsPutOut(t *testing.T) {
	t.Parallel()
	s, hub := leaky(t)
	outputs := make(map[string]string)
	try := func(code int, args ...string) {
		t.Helper()
		var shown []string
		for line := range strings.Lines(s.run(code, args...)) {
			if !strings.HasPrefix(line, "::add-mask::") { // GitHub is told them, to mask them too
				shown = append(shown, line)
			}
		}
		outputs[strings.Join(args, " ")] = strings.Join(shown, "")
	}
	try(1, "run", "leaks")
	try(1, "run", "-verbose", "leaks")
	try(1, "run", "-json", "leaks")
	try(0, "plan", "leaks")
	try(0, "plan", "-json", "leaks")
	try(0, "deploy", "-release", s.release("v1"))
	s.write(s.release("v2")+"/sick", "")
	try(1, "deploy", "-release", "v2")
	for i := range secrets {
		if i%10 == 9 {
			try(1, "deploy", "-release", "no/"+secrets[i])
		}
	}
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
	for _, secret := range secrets {
		for kind, text := range written(secret) {
			for where, output := range outputs {
				if text := kept(kind, text); text != "" && strings.Contains(output, text) {
					t.Errorf("%s shows a secret, %s: %q", where, kind, text)
				}
			}
		}
	}
}

// collect adds the files at and below a path of the site.
func (s *site) collect(name string, to map[string]string) {
	s.t.Helper()
	err := filepath.WalkDir(filepath.Join(s.dir, name), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if name := filepath.Base(path); name != "blue.log" && name != "green.log" { // the application's own
			to[path] = string(text)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
