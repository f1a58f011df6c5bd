package spec_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/spec"
)

// TestExportOfRandomSpecs writes specs by chance and exports those that are
// sound.
func TestExportOfRandomSpecs(t *testing.T) {
	const many = 24
	sound := 0
	for seed := range uint64(many) {
		src := []byte(randomSpec(seed))
		o := randomWorld()
		o.Vars = given(src, o)
		s, problems := spec.Parse(src, "deploy.hcl", o)
		if problems.Failed() {
			continue
		}
		sound++
		checkExport(t, s, o)
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, src)
		}
	}
	if sound < many/3 {
		t.Errorf("only %d of %d specs are sound", sound, many)
	}
}

// randomWorld answers what random specs ask for.
func randomWorld() spec.Options {
	o := world()
	env := map[string]string{
		"HOST": "h.example.com", "NAME": "n.example.com", "USER": "root", "K": "KEYED", "DIR": "d", "N": "1,2", "X": "x",
		"KEY": "-----BEGIN KEY-----\nabcd\n-----END KEY-----\n", "PHRASE": "correct horse", "RELEASE": "out",
	}
	o.Getenv = func(name string) string { return env[name] }
	return o
}

// author writes a spec by chance.
type author struct {
	*rand.Rand
	strings.Builder
	names []string // var.x and local.x that expressions may read
}

func randomSpec(seed uint64) string {
	a := &author{Rand: rand.New(rand.NewPCG(seed, 0))}
	for i := range a.IntN(4) {
		a.variable(fmt.Sprintf("v%d", i))
	}
	if a.chance(2) {
		a.WriteString("locals {\n")
		for i := range a.IntN(4) {
			fmt.Fprintf(a, "  l%d = %s\n", i, a.text(2, "env(\"LOCAL\")"))
			a.names = append(a.names, fmt.Sprintf("local.l%d", i))
		}
		a.WriteString("}\n")
	}
	a.servers()
	for i := range 1 + a.IntN(2) {
		a.environment(i)
	}
	a.pipeline()
	return a.String()
}

// chance is true once in n.
func (a *author) chance(n int) bool { return a.IntN(n) == 0 }

func pick[T any](a *author, all ...T) T { return all[a.IntN(len(all))] }

// set writes an attribute once in n.
func (a *author) set(n int, name, value string) {
	if a.chance(n) {
		fmt.Fprintf(a, "  %s = %s\n", name, value)
	}
}

func (a *author) variable(name string) {
	fmt.Fprintf(a, "variable %q {\n", name)
	a.set(3, "description", a.text(0))
	a.set(3, "sensitive", pick(a, "true", "false"))
	switch a.IntN(4) {
	case 0:
		fmt.Fprintf(a, "  type = list(string)\n  default = [%s]\n", a.quoted())
		a.names = append(a.names, `join(",", var.`+name+`)`)
	case 1:
		fmt.Fprintf(a, "  default = { %s = %s }\n", pick(a, "expression", "a", `"for"`, `"a b"`), a.quoted())
		a.names = append(a.names, "jsonencode(var."+name+")")
	case 2:
		fmt.Fprintf(a, "  type = any # any\n  default = %s\n", pick(a, "1.5", "1e40", "null", "true", `tolist(["x"])`, `[1, [2, null]]`))
		a.names = append(a.names, "jsonencode(var."+name+")")
	default:
		fmt.Fprintf(a, "  default = %s\n", a.text(1, `env("V")`))
		a.names = append(a.names, "var."+name, `var["`+name+`"]`)
		if a.chance(2) {
			fmt.Fprintf(a, "  validation {\n  condition = var.%s != \"no\" /* never */\n  error_message = \"Not ${var.%s}.\"\n  }\n", name, name)
		}
	}
	a.WriteString("}\n")
}

func (a *author) servers() {
	if a.chance(2) {
		a.WriteString("ssh {\n")
		a.set(2, "user", pick(a, `"deploy"`, `lower("OPS")`, `env("USER")`))
		a.set(2, "private_key", pick(a, `env("KEY")`, `file("ok/name.txt")`))
		a.set(2, "known_hosts", a.heredoc())
		a.set(3, "via", "server.s0")
		a.WriteString("}\n")
	}
	for i := range 3 {
		fmt.Fprintf(a, "server \"s%d\" {\n  host = %s\n  tags = %s\n", i, pick(a, `"Web.example.com"`, `env("HOST")`, `"10.0.0.1"`), pick(a, `["web"]`, `["web", "db"]`, `[for t in ["web"] : t]`))
		a.set(3, "port", pick(a, "2222", `tonumber("22")`))
		a.set(3, "connect_timeout", pick(a, `"90s"`, `"1500ms"`, `"1d"`))
		a.set(4, "passphrase", `env("PHRASE")`)
		a.WriteString("}\n")
	}
	a.WriteString("group \"most\" {\n  servers = [group.web, server.s1]\n}\ngroup \"web\" {\n  tags = [\"web\"]\n}\n")
	fmt.Fprintf(a, "task \"t\" {\n  target = %s\n  run = %s\n", pick(a, "group.most", "[server.s2, group.web]"), a.script("env(\"T\")"))
	a.set(3, "batch", pick(a, "3", `"30%"`, `"4"`)+"\n  strategy = \"rolling\"")
	a.set(3, "env", a.env())
	a.WriteString("}\n")
}

func (a *author) environment(i int) {
	fmt.Fprintf(a, "environment \"e%d\" {\n  servers = %s\n  root = %s\n", i, pick(a, "server.s0", "group.web", "[server.s1]"), pick(a, fmt.Sprintf(`"/srv/e%d"`, i), fmt.Sprintf(`"/srv/${env("X")}%d"`, i)))
	a.set(3, "shared", pick(a, `["a", "b/c"]`, `[env("DIR"), "x"]`, "[]"))
	a.set(3, "probe", pick(a, `"off"`, "7", `"9"`))
	a.set(2, "start", a.script("slot.name", "slot.port", `slot.name == "blue" ? "b" : "g"`))
	a.set(3, "drain", pick(a, `"90s"`, `"0s"`, `"36h"`, `"7d"`))
	fmt.Fprintf(a, "  slot \"blue\" {\n  port = %d\n  }\n  slot \"green\" {\n  port = %d\n  }\n", 8000+2*i, 8001+2*i)
	if a.chance(2) {
		a.WriteString("  health {\n")
		a.set(3, "run", a.script("slot.path"))
		a.set(3, "files", `["index.html"]`)
		if a.chance(2) {
			fmt.Fprintf(a, "  http {\n  path = \"/up\"\n  body = %s\n  }\n", pick(a, `"^ok$"`, `"a{2}"`, `"$${x}"`))
		}
		a.WriteString("  }\n")
	}
	fmt.Fprintf(a, "  proxy %s {\n  listen = %s\n  config = \"/etc/p/e%d.conf\"\n", pick(a, `"nginx"`, `"haproxy"`), pick(a, "80", `"[::1]:80"`, `"127.0.0.1:8080"`), i)
	a.set(2, "hostname", pick(a, `"Shop.example.com"`, `env("NAME")`, `"*.example.com"`))
	a.set(3, "reload", a.script())
	a.WriteString("  }\n}\n")
}

func (a *author) pipeline() {
	a.WriteString("pipeline \"p\" {\n")
	a.set(3, "max_parallel", "3")
	fmt.Fprintf(a, "  stage \"build\" {\n  run = %s\n", a.script("github.sha", "env(\"B\")"))
	a.set(2, "env", a.env())
	a.set(3, "when", pick(a, "true", "github.ref ==\"refs/heads/main\"||false", `(1==1) # always`, `!(2 < 1)`))
	a.WriteString("  }\n  stage \"test\" {\n  needs = stage.build\n")
	fmt.Fprintf(a, "  matrix = %s\n  run = %s\n", pick(a, `{ n = [1, 2] }`, `{ "a b" = ["x"], expression = ["y"] }`, `{ n = split(",", env("N")) }`), a.script("stage.build.outputs.tag", "jsonencode(stage.build.outputs.x)"))
	a.WriteString("  }\n  stage \"ship\" {\n  needs = [stage.test]\n  deploy {\n  environment = environment.e0\n")
	fmt.Fprintf(a, "  release = \"r${%s}\"\n", a.text(1, `env("RELEASE")`))
	if a.chance(3) {
		a.WriteString("  canary {\n  }\n")
	}
	a.WriteString("  }\n  }\n")
	fmt.Fprintf(a, "  rollback \"r\" {\n  when = %s\n  run = %s\n  }\n", pick(a, "failed()", "(failed( stage.build )&&\n !cancelled())", "cancelled()"), a.script("stage.build.outputs.tag"))
	a.WriteString("}\n")
}

func (a *author) env() string {
	var out strings.Builder
	out.WriteString("{\n")
	for i := range 1 + a.IntN(3) {
		name := pick(a, "A", "_B", "expression", `"for"`, `"C"`, `(env("K"))`)
		if i > 0 {
			name = fmt.Sprintf("N%d", i)
		}
		fmt.Fprintf(&out, "  %s = %s\n", name, a.text(1, "github.title", `env("E")`))
	}
	return out.String() + "}"
}

// script is a text that is not blank; it may read what more has.
func (a *author) script(more ...string) string {
	if a.chance(3) {
		return a.heredoc(more...)
	}
	return `"run ${` + a.text(2, more...) + `}"`
}

// text is an expression that comes to a text.
func (a *author) text(depth int, more ...string) string {
	if depth == 0 || a.chance(3) {
		return a.quoted()
	}
	switch a.IntN(7) {
	case 0:
		return "upper(" + a.text(depth-1, more...) + ")"
	case 1:
		return `"` + a.raw() + "${ " + a.text(depth-1, more...) + "}" + a.raw() + `"`
	case 2:
		return "(\n" + a.text(depth-1, more...) + " # here\n)"
	case 3:
		return a.text(depth-1, more...) + ` == "x"? "yes":/* no */ ` + a.text(depth-1, more...)
	case 4:
		return `format("%s-%d",` + a.text(depth-1, more...) + ",1+2)"
	case 5:
		return `join(".", [for x in ["a",` + a.text(depth-1, more...) + "] :x if x!=\"\"])"
	}
	if names := append(more, a.names...); len(names) > 0 {
		return pick(a, names...)
	}
	return a.quoted()
}

// morsels are what texts are made of, as a quoted text or a heredoc has it.
var morsels = []string{
	"a", " ", "  b", "é", "e\u0301", "語", "\u200b", "#", "//", "/*", "'", "`", "$", "%", "$$", "$${", "%%{", "$$$${", "}", " {", "EOT", "-", "$(id)", "::x::",
}

// raw is the inside of a quoted text.
func (a *author) raw() string {
	var out strings.Builder
	for range a.IntN(5) {
		out.WriteString(pick(a, append(morsels, `\n`, `\t`, `\r`, `\"`, `\\`, `\u0001`, `\U0001F600`, `\n\n`, `\r\n`, "x\\n")...))
	}
	return strings.TrimRight(out.String(), "$%")
}

func (a *author) quoted() string { return `"` + a.raw() + `"` }

// heredoc is a text of several lines.
func (a *author) heredoc(more ...string) string {
	var out strings.Builder
	out.WriteString(pick(a, "<<END\n", "<<-END\n"))
	for range 1 + a.IntN(4) {
		out.WriteString(pick(a, "", "  ", "\t", "    ", "      "))
		for range a.IntN(4) {
			out.WriteString(pick(a, morsels...))
		}
		if a.chance(4) {
			out.WriteString("-${ " + a.text(1, more...) + " }")
		}
		out.WriteString(pick(a, ".", ".", ".", ". ", ".\t", ".\r") + "\n")
	}
	return out.String() + "  END"
}
