package ssh_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/org/deploy-action/internal/ssh"
	"github.com/org/deploy-action/internal/ssh/sshtest"
)

// script writes an executable script for all users.
func script(t *testing.T, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sshtest-script-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "script")
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755))
	return path
}

func TestLoginShells(t *testing.T) {
	t.Parallel()
	shells := map[string]string{
		"one that greets":                 script(t, "echo Welcome, $LOGNAME\nprintf 'no line break: '\nexec /bin/sh \"$@\"\n"),
		"one that says it in another way": script(t, "echo \"$2\"\nexec /bin/sh \"$@\"\n"),
	}
	for _, name := range []string{"dash", "bash", "zsh", "fish", "tcsh", "busybox"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if name == "busybox" {
			path = script(t, "exec "+path+" sh \"$@\"\n")
		}
		shells[name] = path
	}
	o := light(t)
	for name, path := range shells {
		t.Run(name, func(t *testing.T) {
			s := sshtest.New(t, sshtest.Options{Ordinary: true, Shell: path})
			if text := run(t, open(t, dialer(t, o), s), "echo it works"); text != "it works" {
				t.Errorf("%q", text)
			}
		})
	}
}

func TestNoShell(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ shell, words string }{
		"no logins":    {script(t, "echo This account is not available.; exit 1\n"), "web: agent: no shell ran turnout's script (exit status 1); the server said: This account is not available."},
		"says nothing": {script(t, "exit 3\n"), "(exit status 3); the server said: nothing"},
		"no end":       {script(t, "while :; do echo yes; done\n"), "the login shell prints without end"},
		"a restricted": {script(t, "echo \"unknown command: $2\"; exit 127\n"), "the server said: unknown command: exec sh"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sshtest.New(t, sshtest.Options{Ordinary: true, Shell: test.shell})
			refuse(t, options(t), s.Spec("web"), ssh.Agent, test.words)
		})
	}
}

// light are options with a program that takes little time to upload: a script that
// hands over to the real one.
func light(t *testing.T) ssh.Options {
	o := options(t)
	agent := script(t, "")
	must(t, exec.Command("cp", o.Program, agent).Run()) // from a folder that is closed to others
	text := "case $2 in -install) exec mv \"$0\" \"${0%/*}/agent-$3\";; *) exec " + agent + " agent;; esac\n"
	o.Program = script(t, text+strings.Repeat("# as long as the disk that it fills\n", 3000))
	return o
}

func TestWhereTheAgentGoes(t *testing.T) {
	t.Parallel()
	o := light(t)
	hash, err := exec.Command("sha256sum", o.Program).Output()
	must(t, err)
	trap := "/agent-" + string(hash[:32])
	const noexec = "mount --bind $home $home; mount -o remount,bind,noexec $home"
	for name, mounts := range map[string]string{
		"home is full":          "mount -t tmpfs -o size=64k,mode=777 none $home",
		"home is read-only":     "mount --bind $home $home; mount -o remount,bind,ro $home",
		"home executes nothing": noexec,
		"the cache is someone's, with a trap": "mkdir -p $home/.cache/turnout; chmod 777 $home/.cache/turnout; " +
			"cp /bin/false $home/.cache/turnout" + trap,
	} {
		t.Run(name, func(t *testing.T) {
			s := sshtest.New(t, sshtest.Options{Ordinary: true, Mounts: mounts})
			for range 2 { // and is found there
				run(t, open(t, dialer(t, o), s), "true")
			}
			entries, err := os.ReadDir(s.VarTmp)
			if err != nil || len(entries) != 1 {
				t.Fatalf("%v, %v", entries, err)
			}
			if info, err := entries[0].Info(); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
	for name, test := range map[string]struct{ mounts, words string }{
		"nowhere":           {"mount -t tmpfs -o size=64k,mode=777 none $home; mount -t tmpfs -o size=64k,mode=777 none $vartmp", "No space left on device"},
		"executed nowhere":  {noexec + "; mount -t tmpfs -o noexec,mode=1777 none $vartmp", "ermission denied"},
		"a folder laid out": {noexec + "; mkdir -m 777 -p $vartmp/turnout-64242; cp /bin/false $vartmp/turnout-64242" + trap, "is not a folder of this user"},
		"a link laid out":   {noexec + "; mkdir -p $vartmp/own; chown 64242 $vartmp/own; cp /bin/false $vartmp/own" + trap + "; ln -sfn $vartmp/own $vartmp/turnout-64242", "is a link"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sshtest.New(t, sshtest.Options{Ordinary: true, Mounts: test.mounts})
			refuse(t, o, s.Spec("web"), ssh.Agent, "web: agent: the agent can be put neither into ~/.cache/turnout (", test.words, `agent = "/usr/local/bin/turnout"`)
		})
	}
}

// Two runs that meet a server for the first time do not disturb each other.
func TestTwoFirstContacts(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{Ordinary: true})
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			m, err := dialer(t, options(t)).Machine(t.Context(), s.Spec("web"))
			if err != nil {
				t.Error(err)
				return
			}
			run(t, m, "true")
		})
	}
	both.Wait()
	entries, err := os.ReadDir(s.Home + "/.cache/turnout")
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// Who asks for a server at the same time shares one connection.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, sshtest.Options{})
	d := dialer(t, options(t))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := d.Machine(t.Context(), s.Spec("web")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestInstalledAgents(t *testing.T) {
	t.Parallel()
	path := script(t, "exec "+options(t).Program+" \"$@\"\n")
	s := sshtest.New(t, sshtest.Options{})
	server := s.Spec("web")
	server.SSH.Agent = path
	m, err := dialer(t, options(t)).Machine(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	run(t, m, "true")
	if _, err := os.Stat(s.Home + "/.cache"); err == nil {
		t.Error("something was uploaded")
	}

	newer := options(t)
	newer.Version = "2.0.0"
	refuse(t, newer, server, ssh.Agent, path+" on the server is turnout "+version+", this is turnout 2.0.0: install the same version on both")
	server.SSH.Agent = script(t, "[ $1 = version ] && echo turnout 0.0.1 && exit\nprintf '\\0\\0\\0\\016h\\0\\0\\0\\0{\"version\":99}'\n")
	refuse(t, newer, server, ssh.Agent, "is turnout 0.0.1 and this is turnout 2.0.0: speaks version 99 of the protocol")
	server.SSH.Agent = "/nowhere/turnout"
	refuse(t, options(t), server, ssh.Agent, "/nowhere/turnout is not there, or this user may not execute it")
	server.SSH.Agent = script(t, "echo out of memory >&2; exit 2\n")
	refuse(t, options(t), server, ssh.Agent, server.SSH.Agent+" could not be started (exit status 2): out of memory")
}

func TestSudo(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		s := sshtest.New(t, sshtest.Options{Ordinary: true})
		server := s.Spec("web")
		server.SSH.Become = true
		refuse(t, options(t), server, ssh.Agent, "sudo refuses: ", "\n    deploy ALL=(root) NOPASSWD: /usr/local/bin/turnout agent", `agent = "/usr/local/bin/turnout"`)
	})
	t.Run("one line allows it", func(t *testing.T) {
		path := script(t, "exec "+options(t).Program+" \"$@\"\n")
		s := sshtest.New(t, sshtest.Options{Ordinary: true, Sudoers: "Defaults env_keep += GORACE\ndeploy ALL=(root) NOPASSWD: " + path + " agent\n"})
		server := s.Spec("web")
		server.SSH.Become, server.SSH.Agent = true, path
		m, err := dialer(t, options(t)).Machine(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		if who := run(t, m, "id -un"); who != "root" {
			t.Errorf("the agent is %s", who)
		}
	})
}

func TestNoBinaryForTheServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(script(t, ""))
	must(t, os.WriteFile(filepath.Join(dir, "arch"), []byte("aarch64\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "none"), nil, 0o000))
	must(t, os.WriteFile(filepath.Join(dir, "uname"), []byte("#!/bin/sh\necho Linux aarch64\n"), 0o755))
	mount := func(what string) string {
		return "if [ -e /proc/sys/kernel/arch ]; then mount --bind " + what + " /proc/sys/kernel/arch; fi"
	}
	beside := options(t)
	beside.Program = filepath.Join(t.TempDir(), "turnout")
	must(t, exec.Command("cp", options(t).Program, filepath.Dir(beside.Program)+"/turnout-linux-arm64").Run())
	must(t, exec.Command("cp", options(t).Program, beside.Program).Run())
	packed := options(t)
	packed.Program = filepath.Join(t.TempDir(), "turnout")
	must(t, exec.Command("cp", options(t).Program, packed.Program).Run())
	pack(t, packed.Program, filepath.Dir(packed.Program)+"/turnout-linux-arm64.zst")
	for name, o := range map[string]sshtest.Options{
		"an older kernel": {Shell: script(t, "PATH="+dir+":$PATH exec /bin/sh \"$@\"\n"), Mounts: mount(dir + "/none")},
		"a newer one":     {Mounts: mount(dir + "/arch")},
	} {
		t.Run(name, func(t *testing.T) {
			o.Ordinary = true
			s := sshtest.New(t, o)
			refuse(t, options(t), s.Spec("web"), ssh.Agent, "the server is Linux aarch64, and ", "/turnout-agent-linux-arm64 is not there: put https://github.com/org/deploy-action/releases/download/v1.2.3/turnout-agent-linux-arm64 there")
			open(t, dialer(t, beside), s)
			s = sshtest.New(t, o)
			open(t, dialer(t, packed), s)
			agents, err := filepath.Glob(s.Home + "/.cache/turnout/agent-*")
			must(t, err)
			must(t, exec.Command("cmp", append(agents, packed.Program)...).Run())
		})
	}
}

// What lies beside turnout for agents is taken, but for a server that calls AWS.
func TestWhichAgent(t *testing.T) {
	t.Parallel()
	small := "turnout-agent-linux-" + runtime.GOARCH
	for name, test := range map[string]struct {
		there, packed string // beside turnout
		callsAWS      bool
		want          string
	}{
		"turnout alone":     {want: "turnout"},
		"the small one":     {there: small, want: small},
		"packed":            {packed: small, want: small},
		"for AWS":           {there: small, callsAWS: true, want: "turnout"},
		"of another system": {there: "turnout-agent-linux-s390x", want: "turnout"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			dir := t.TempDir()
			for _, file := range []string{"turnout", small} { // that differ
				must(t, exec.Command("sh", "-c", `cat "$1" >"$2" && echo "$2" >>"$2" && chmod +x "$2"`, "", o.Program, filepath.Join(dir, file)).Run())
			}
			o.Program = filepath.Join(dir, "turnout")
			if test.packed != "" {
				pack(t, filepath.Join(dir, test.packed), filepath.Join(dir, test.packed+".zst"))
			}
			if test.there != small {
				must(t, os.Rename(filepath.Join(dir, small), filepath.Join(dir, cmp.Or(test.there, "none"))))
			}
			s := sshtest.New(t, sshtest.Options{Ordinary: true})
			server := s.Spec("web")
			server.CallsAWS = test.callsAWS
			if _, err := dialer(t, o).Machine(t.Context(), server); err != nil {
				t.Fatal(err)
			}
			agents, err := filepath.Glob(s.Home + "/.cache/turnout/agent-*")
			must(t, err)
			said, err := exec.Command("tail", append([]string{"-n", "1", "-q"}, agents...)...).Output()
			must(t, err)
			if got := filepath.Base(strings.TrimSpace(string(said))); got != test.want {
				t.Errorf("the agent is %s, not %s", got, test.want)
			}
		})
	}
}

// An agent starts on one CPU, and what it runs knows nothing of it.
func TestOneCPU(t *testing.T) {
	t.Parallel()
	const of = `tr '\0' '\n' </proc/$PPID/environ | grep ^GOMAXPROCS; echo "${GOMAXPROCS-unset}"`
	for shell, want := range map[string]string{"": "GOMAXPROCS=01\nunset", "export GOMAXPROCS=3; ": "GOMAXPROCS=3\n3"} {
		s := sshtest.New(t, sshtest.Options{Ordinary: true, Shell: script(t, shell+"exec /bin/sh \"$@\"\n")})
		if got := run(t, open(t, dialer(t, options(t)), s), of); got != want {
			t.Errorf("login shell %q: %q, want %q", shell, got, want)
		}
	}
}

// An agent that is left over from another release is not used.
func TestAgentOfAnotherRelease(t *testing.T) {
	t.Parallel()
	newer := options(t)
	newer.Version = "2.0.0"
	s := sshtest.New(t, sshtest.Options{})
	refuse(t, newer, s.Spec("web"), ssh.Agent, newer.Program+" is of turnout 1.2.3 and this is turnout 2.0.0: put the one of the same release there, or remove it")
}

// pack packs a file as an image carries it.
func pack(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	must(t, err)
	must(t, os.WriteFile(to, packer.EncodeAll(text, nil), 0o644))
}

// A Mac has no agent in itself: it takes what is there for Linux beside it.
func TestAClientThatIsNoLinux(t *testing.T) {
	t.Parallel()
	arch := runtime.GOARCH
	mac := options(t)
	mac.Platform, mac.Program = "darwin/arm64", filepath.Join(t.TempDir(), "turnout")
	must(t, os.WriteFile(mac.Program, []byte("for macOS"), 0o755))
	s := sshtest.New(t, sshtest.Options{Ordinary: true})
	refuse(t, mac, s.Spec("web"), ssh.Agent, "the server is Linux ", "/turnout-agent-linux-"+arch+" is not there", "/v1.2.3/turnout-agent-linux-"+arch+" there", "checksums.txt")
	for _, there := range []string{"amd64", "arm64"} { // one that does not fit is there too
		must(t, exec.Command("cp", options(t).Program, filepath.Dir(mac.Program)+"/turnout-linux-"+there).Run())
	}
	open(t, dialer(t, mac), s)
}
