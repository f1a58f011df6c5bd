package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const nginxConf = `worker_processes 2;
daemon off;
error_log DIR/error.log notice;
pid DIR/nginx.pid;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxied;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    include DIR/conf.d/*.conf;
}
`

const haproxyConf = `global
    stats socket DIR/admin.sock mode 600 level admin expose-fd listeners
    log stderr format raw local0 notice
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend main
    bind unix@DIR/main.sock
    http-request return status 404
`

// startProxy starts the proxy as the system would have it: running, without a
// site of ours.
func (s *stage) startProxy(ctx context.Context) error {
	name, text, args := "nginx.conf", nginxConf, []string{"-e", s.path("proxy/error.log"), "-c", s.path("proxy/nginx.conf")}
	ready := "proxy/nginx.pid"
	if s.kind == "haproxy" {
		name, text, ready = "haproxy.cfg", haproxyConf, "proxy/haproxy.pid"
		args = []string{"-W", "-f", s.path("proxy/haproxy.cfg"), "-f", s.path("proxy/conf.d/shop.cfg"), "-p", s.path(ready)}
		if err := os.WriteFile(s.path("proxy/conf.d/shop.cfg"), nil, 0o644); err != nil {
			return err
		}
	}
	text = strings.ReplaceAll(text, "DIR", s.path("proxy"))
	if err := os.WriteFile(s.path("proxy/"+name), []byte(text), 0o644); err != nil {
		return err
	}
	return s.launch(ctx, s.path(ready), args)
}

// launch starts the proxy and waits for the file that says it runs.
func (s *stage) launch(ctx context.Context, ready string, args []string) error {
	program, err := find(s.kind)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.path("proxy/error.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	// It ends with close, when traffic has no more use for it, rather than with ctx.
	cmd := s.command(context.WithoutCancel(ctx), s.path("proxy"), program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.After(5 * time.Second); ; {
		if info, err := os.Stat(ready); err == nil && info.Size() > 0 && s.accepts() {
			return nil
		}
		select {
		case err := <-ended:
			said, _ := os.ReadFile(s.path("proxy/error.log"))
			return fmt.Errorf("%s: ended at once: %w\n%s", s.kind, err, said)
		case <-deadline:
			return errors.New(s.kind + ": not ready within 5 s")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// accepts reports whether HAProxy takes commands; nginx takes signals as soon as
// it has written its pid.
func (s *stage) accepts() bool {
	if s.kind == "nginx" {
		return true
	}
	conn, err := net.Dial("unix", s.path("proxy/admin.sock"))
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func find(program string) (string, error) {
	for _, dir := range filepath.SplitList(searchPath()) {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: scripts/setup.sh %s installs it", program, program)
}
