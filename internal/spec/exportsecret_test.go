package spec_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/secret"
	"github.com/org/deploy-action/internal/spec"
)

// planted has secrets and values from outside wherever the language lets them
// in.
const planted = `
variable "token" {
  sensitive = true
  default   = "hunter2-default"
}

variable "tokens" {
  type      = map(string)
  sensitive = true
}

variable "key" {
  description = "A private key of which nobody said that it is secret."
}

variable "place" {
  default = env("PLACE")

  validation {
    condition     = var.place != ""
    error_message = "${var.place} is no place."
  }
}

locals {
  header  = "Bearer ${var.token}"
  all     = merge(var.tokens, { place = var.place })
  place   = try(upper(var.place), "none")
  content = chomp(file("ok/name.txt"))
}

ssh {
  user        = env("USER")
  private_key = var.key
  passphrase  = format("%s", var.token)
  known_hosts = env("HOSTS")
}

server "a" {
  host       = env("HOST")
  tags       = ["a", env("TAG")]
  passphrase = env("PHRASE")
}

server "local" {
  connection = "local"
}

task "t" {
  target  = server.a
  run     = "echo ${var.token} ${local.content}"
  timeout = env("TIME")

  env = {
    TOKEN        = var.token
    BASE         = jsonencode(local.all)
    (env("KEY")) = "x"
  }
}

environment "e" {
  root          = "/srv/${env("DIR")}"
  shared        = [env("DIR")]
  keep_releases = tonumber(env("NUMBER"))
  start         = "TOKEN='${var.token}' serve ${slot.port} ${lookup(var.tokens, "a", "")}"
  stop          = "echo ${local.header} ${join("", [for name, token in var.tokens : token])}"

  slot "blue" {
    port = 8081
  }

  slot "green" {
    port = env("PORT")
  }

  health {
    run = "curl -H '${local.header}' localhost"

    http {
      path = "/up/${env("DIR")}"
      body = "^${env("DIR")}$"
    }
  }

  proxy "nginx" {
    listen   = 80
    hostname = env("HOST")
    config   = "/etc/nginx/${env("DIR")}.conf"
  }
}

pipeline "p" {
  stage "s" {
    type = github.workflow
    run  = "echo ${var.tokens.b} ${github.sha} ${local.place}"
    dir  = env("DIR")
    when = var.token != "" && github.ref != ""

    env = {
      TITLE = "The title: ${github.title}"
      ACTOR = github.actor
      TOKEN = replace(var.token, "-", "_")
    }
  }

  stage "d" {
    deploy {
      environment = environment.e
      release     = env("DIR")
    }
  }

  rollback "r" {
    when = failed() && var.token != "x"
    run  = "curl -H '${local.header}' https://pager.example.com"
    env  = { TOKEN = local.all.a }
  }
}
`

// The values of planted: secrets, each with what an encoding could hide, and the
// rest of the world, each of them a word that stands nowhere else.
var (
	plantedSecrets = []string{
		"s3cr3t/?>~+&=\"pass word", "${not.a} %{template}", "p@ss<w>örd\\!\nsecond line of it",
		"-----BEGIN KEY-----\nb3BlbnNzaC1rZXk+djEAAAAA\n-----END KEY-----\n", "correct horse battery",
	}
	plantedWorld = map[string]string{
		"PLACE": "outside-place", "USER": "outside-user", "HOSTS": "outside-hosts", "HOST": "outside-host.example.com", "TAG": "outside-tag",
		"PHRASE": plantedSecrets[4], "TIME": "4711s", "KEY": "OUTSIDE", "DIR": "outside-dir", "NUMBER": "4711", "PORT": "47110",
	}
)

func plantedOptions() spec.Options {
	o := world()
	o.Getenv = func(name string) string { return plantedWorld[name] }
	o.GitHub = map[string]string{
		"sha": "outside-sha", "workflow": "outside-workflow", "title": "outside-title", "actor": "outside-actor", "ref": "outside-ref",
	}
	quoted := strings.NewReplacer("\\", "\\\\", "\"", "\\\"", "\n", "\\n", "${", "$${", "%{", "%%{")
	o.Vars = []spec.Assignment{
		{Name: "token", Value: plantedSecrets[0]},
		{Name: "tokens", Value: fmt.Sprintf(`{ a = "%s", b = "%s" }`, quoted.Replace(plantedSecrets[1]), quoted.Replace(plantedSecrets[2]))},
		{Name: "key", Value: plantedSecrets[3]},
	}
	return o
}

func TestExportShowsNoSecret(t *testing.T) {
	s, problems := spec.Parse([]byte(planted), "deploy.hcl", plantedOptions())
	if problems.Failed() {
		t.Fatal(problems)
	}
	checkExport(t, s, plantedOptions())
	masker := secret.New(append(plantedSecrets, "hunter2-default"))
	for _, text := range [][]byte{exported(t, s.HCL), exported(t, s.JSON)} {
		if masked := masker.String(string(text)); masked != string(text) {
			t.Errorf("a secret shows where the stars are:\n%s", masked)
		}
		for _, value := range append([]string{"not.a}", "second line", "OUTSIDE\"", "4711", "spec\""}, plantedSecrets...) {
			if bytes.Contains(text, []byte(value)) {
				t.Errorf("%q shows:\n%s", value, text)
			}
		}
		if at := bytes.Index(bytes.ToLower(text), []byte("outside")); at >= 0 {
			t.Errorf("a value from outside shows: %s", text[at:min(len(text), at+40)])
		}
	}
}

func TestExportRefusesSecretsInTheOpen(t *testing.T) {
	const token = "variable \"token\" {\n  sensitive = true\n}\n"
	for name, test := range map[string]struct {
		text string
		line int
	}{
		"private key":   {"server \"a\" {\n  host = \"a\"\n  private_key = \"hunter2-key\"\n}\n", 3},
		"heredoc":       {"server \"a\" {\n  host = \"a\"\n  private_key = <<-EOT\n    hunter2-key\n  EOT\n}\n", 3},
		"passphrase":    {"ssh {\n  passphrase = \"${\"hunter2-key\"}\"\n}\n", 2},
		"local":         {"locals {\n  key = \"hunter2-key\"\n}\nssh {\n  private_key = local.key\n}\n", 2},
		"escaped":       {"ssh {\n  passphrase = \"a$${b}\\u0063\"\n}\n", 2},
		"a command":     {token + "task \"t\" {\n  target = server.local\n  run = \"echo hunter2-token\"\n}\nserver \"local\" {\n  connection = \"local\"\n}\n", 6},
		"an expression": {token + "pipeline \"p\" {\n  stage \"s\" {\n    run = \"x ${var.token} hunter2-token\"\n  }\n}\n", 6},
		"a name":        {token + "server \"hunter2-token\" {\n  connection = \"local\"\n}\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := spec.Options{Vars: []spec.Assignment{{Name: "token", Value: "hunter2-token", Origin: "TURNOUT_VAR_token"}}}
			s, problems := spec.Parse([]byte(test.text), "deploy.hcl", o)
			if problems.Failed() {
				t.Fatal(problems)
			}
			for _, format := range []func() ([]byte, spec.Problems){s.HCL, s.JSON} {
				text, problems := format()
				if text != nil || len(problems) != 1 || problems[0].Pos.Line != test.line || problems[0].Summary != "Secret in the open" {
					t.Errorf("%s\n%+v", text, problems)
				}
				checkWording(t, problems)
			}
		})
	}
}

// TestExportSparesWhatLooksSecret holds that a value which merely is the same as
// a secret is shown as little, and that what it comes from keeps its meaning.
func TestExportSparesWhatLooksSecret(t *testing.T) {
	const text = `
variable "token" {
  sensitive = true
}

variable "release" {
  default = "dist"
}

variable "key" {
  default = "hunter2-key"
}

ssh {
  private_key = var.key
}

pipeline "p" {
  stage "s" {
    run = "ship ${var.release} with ${var.token}"
    dir = var.release
  }
}
`
	o := spec.Options{Vars: []spec.Assignment{
		{Name: "token", Value: "hunter2", Origin: "x"}, {Name: "release", Value: "hunter2", Origin: "x"}, {Name: "key", Value: "hunter2-key", Origin: "x"},
	}}
	s, problems := spec.Parse([]byte(text), "deploy.hcl", o)
	if problems.Failed() {
		t.Fatal(problems)
	}
	checkExport(t, s, o)
	o.Vars = o.Vars[:2] // the default is the secret
	if s, problems = spec.Parse([]byte(text), "deploy.hcl", o); problems.Failed() {
		t.Fatal(problems)
	}
	got := string(exported(t, s.HCL))
	if !strings.Contains(got, "dir        = var.release") || strings.Contains(got, "hunter2") || strings.Contains(got, "default") {
		t.Errorf("%s", got)
	}
}
