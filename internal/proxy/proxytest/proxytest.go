// Package proxytest runs real nginx and HAProxy processes for tests, each in a
// directory of its own and on free ports.
package proxytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/value"
)

// Proxy is a running nginx or HAProxy without a configuration of ours.
type Proxy struct {
	// Site is for an environment "shop", complete but for its Pools. Copy it.
	Site proxy.Site
	Dir  string // short, removed at the end, searchable by others

	t     testing.TB
	args  []string
	ready func() error
	// logged is the size of the error log before the last start.
	logged int64
	cmd    *exec.Cmd
}

// Start starts a proxy of that kind. It ends with the test.
func Start(t testing.TB, kind proxy.Kind) *Proxy {
	t.Helper()
	if kind == proxy.HAProxy {
		return StartHAProxy(t)
	}
	return StartNGINX(t)
}

// StartNGINX starts an nginx with four workers that includes conf.d/*.conf. Run
// by root, its workers are nobody's, as in real life.
func StartNGINX(t testing.TB) *Proxy {
	t.Helper()
	p := prepare(t, proxy.NGINX, "nginx")
	main := fmt.Sprintf(`%[2]sworker_processes 4;
daemon off;
error_log %[1]s/error.log notice;
pid %[1]s/nginx.pid;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path %[1]s/tmp_body;
    proxy_temp_path %[1]s/tmp_proxy;
    fastcgi_temp_path %[1]s/tmp_fastcgi;
    uwsgi_temp_path %[1]s/tmp_uwsgi;
    scgi_temp_path %[1]s/tmp_scgi;
    include %[1]s/conf.d/*.conf;
}
`, p.Dir, asRoot("user nobody nogroup;\n"))
	p.Site.Main = p.write("nginx.conf", main)
	p.Site.Config = p.path("conf.d/shop.conf")
	p.args = []string{"nginx", "-e", filepath.Join(p.Dir, "error.log"), "-c", string(p.Site.Main)}
	p.ready = func() error {
		data, err := os.ReadFile(filepath.Join(p.Dir, "nginx.pid"))
		if err == nil && string(data) != strconv.Itoa(p.cmd.Process.Pid)+"\n" {
			err = fmt.Errorf("pid file holds %q", data)
		}
		return err
	}
	p.Start()
	return p
}

// StartHAProxy starts a HAProxy in master-worker mode that reads, after its main
// file, an empty file for our configuration.
func StartHAProxy(t testing.TB) *Proxy {
	t.Helper()
	p := prepare(t, proxy.HAProxy, "haproxy")
	main := fmt.Sprintf(`global
    stats socket %[1]s/admin.sock mode 600 level admin expose-fd listeners
    log stderr format raw local0 notice
%[2]sdefaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
frontend other
    bind 127.0.0.1:%[3]d
    http-request return status 200
`, p.Dir, asRoot("    user nobody\n    group nogroup\n"), FreePort(t))
	p.Site.Main = p.write("haproxy.cfg", main)
	p.Site.Config = p.write("conf.d/shop.cfg", "")
	p.Site.Socket = p.path("admin.sock")
	p.args = []string{"haproxy", "-W", "-f", string(p.Site.Main), "-f", string(p.Site.Config), "-p", filepath.Join(p.Dir, "haproxy.pid")}
	p.ready = func() error { // until then its master is deaf to signals
		log, err := os.ReadFile(filepath.Join(p.Dir, "error.log"))
		if err == nil && !strings.Contains(string(log[p.logged:]), "Loading success.") {
			err = errors.New("haproxy has not said that it is loaded")
		}
		return err
	}
	p.Site.Reload = fmt.Sprintf("kill -USR2 $(cat %s/haproxy.pid)", p.Dir)
	p.Start()
	return p
}

func prepare(t testing.TB, kind proxy.Kind, program string) *Proxy {
	t.Helper()
	Need(t, program)
	dir, err := os.MkdirTemp("/tmp", "t")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "conf.d"), 0o755))
	p := &Proxy{t: t, Dir: dir}
	p.Site = proxy.Site{
		Env: "shop", Kind: kind, Listen: value.Listen{Host: "127.0.0.1", Port: FreePort(t)},
		ErrorLog: p.path("error.log"), StateDir: p.path("state"),
	}
	return p
}

// Need fails the test under CI, and skips it elsewhere, when a program is missing.
func Need(t testing.TB, program string) {
	t.Helper()
	addSbin(t)
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}

const sbin = ":/usr/local/sbin:/usr/sbin:/sbin"

// addSbin lets an ordinary user find the proxies.
func addSbin(t testing.TB) {
	if strings.HasSuffix(os.Getenv("PATH"), sbin) {
		return
	}
	must(t, os.Setenv("PATH", os.Getenv("PATH")+sbin))
}

func asRoot(lines string) string {
	if os.Geteuid() == 0 {
		return lines
	}
	return ""
}

// Start starts the proxy again after Kill.
func (p *Proxy) Start() {
	p.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.Dir, "error.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(p.t, err)
	defer log.Close()
	p.logged, err = log.Seek(0, io.SeekEnd)
	must(p.t, err)
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(p.t, cmd.Start())
	p.cmd = cmd
	p.t.Cleanup(func() { kill(cmd) })
	Await(p.t, p.ready)
}

// StartWith starts the proxy again after Kill, by another command line.
func (p *Proxy) StartWith(args ...string) {
	p.t.Helper()
	p.args = args
	p.Start()
}

// Kill ends all processes of the proxy as a power cut would.
func (p *Proxy) Kill() {
	p.t.Helper()
	kill(p.cmd)
	Await(p.t, func() error {
		if left := p.Processes(); len(left) > 0 {
			return fmt.Errorf("the proxy still runs: %v", left)
		}
		return nil
	})
}

// kill is harmless for a proxy that is dead.
func kill(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
}

// Processes are the numbers of all processes that the proxy has now, without those
// that are dead and that nobody has waited for yet.
func (p *Proxy) Processes() []int {
	p.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	must(p.t, err)
	var own []int
	for _, path := range all {
		pid, _ := strconv.Atoi(filepath.Base(path))
		if group, err := syscall.Getpgid(pid); err != nil || group != p.cmd.Process.Pid {
			continue
		}
		if stat, err := os.ReadFile(filepath.Join(path, "stat")); err == nil && !bytes.Contains(stat, []byte(") Z ")) {
			own = append(own, pid)
		}
	}
	return own
}

// Reload reloads the proxy as an administrator would, for reasons of his own.
func (p *Proxy) Reload() {
	p.t.Helper()
	signal := syscall.SIGHUP
	if p.Site.Kind == proxy.HAProxy {
		signal = syscall.SIGUSR2
	}
	must(p.t, syscall.Kill(p.cmd.Process.Pid, signal))
}

// path is a path below Dir.
func (p *Proxy) path(name string) value.Path {
	p.t.Helper()
	path, err := value.ParsePath(filepath.Join(p.Dir, name))
	must(p.t, err)
	return path
}

func (p *Proxy) write(name, text string) value.Path {
	p.t.Helper()
	path := p.path(name)
	must(p.t, os.WriteFile(string(path), []byte(text), 0o644))
	return path
}

// Get asks the proxy for a path on a fresh connection and returns the body.
func (p *Proxy) Get(path string) (status int, body string, err error) {
	return Get("http://" + string(p.Site.Listen.Local()) + path)
}

// Await polls until check is content, for at most a minute.
func Await(t testing.TB, check func() error) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited a minute: %v", err)
		case <-tick.C:
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
