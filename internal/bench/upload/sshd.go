package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// sshd is a real one on the loopback, for its own user, and a counter of bytes in
// front of it.
type sshd struct {
	port, countedPort string
	options           string // of ssh and scp
	transport         string // ssh, for rsync
	command           string // ssh to the server
	bytes             atomic.Int64
	process           *exec.Cmd
	counter           net.Listener
}

func startSSHD(ctx context.Context, dir string) (*sshd, error) {
	for _, name := range []string{"host", "user"} {
		if said, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ssh-keygen: %w\n%s", err, said)
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &sshd{port: port}
	config := fmt.Sprintf("ListenAddress 127.0.0.1\nPort %s\nHostKey %s/host\nAuthorizedKeysFile %s/user.pub\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPidFile none\nSubsystem sftp internal-sftp\n", port, dir, dir)
	host, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(config), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "known_hosts"), append([]byte("bench "), host...), 0o600)
	}
	if err == nil && os.Getuid() == 0 {
		err = os.MkdirAll("/run/sshd", 0o755) // where sshd drops its privileges to
	}
	if err != nil {
		return nil, err
	}
	s.options = fmt.Sprintf("-F none -i %s/user -o HostKeyAlias=bench -o UserKnownHostsFile=%s/known_hosts -o BatchMode=yes -o IdentitiesOnly=yes", dir, dir)
	s.transport = "ssh " + s.options + " -p $BENCH_PORT"
	s.command = s.transport + " 127.0.0.1"
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
	}
	s.process = exec.Command(program, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	return s, errors.Join(s.await(ctx), s.count())
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func (s *sshd) await(ctx context.Context) error {
	for range 200 {
		c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("sshd does not answer")
}

// count listens where bytes are counted on their way to sshd and back.
func (s *sshd) count() (err error) {
	if s.counter, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	s.countedPort = s.counter.Addr().String()[strings.LastIndexByte(s.counter.Addr().String(), ':')+1:]
	go func() {
		for {
			c, err := s.counter.Accept()
			if err != nil {
				return
			}
			go s.relay(c)
		}
	}()
	return nil
}

func (s *sshd) relay(client net.Conn) {
	server, err := net.Dial("tcp", "127.0.0.1:"+s.port)
	if err != nil {
		client.Close()
		return
	}
	copyAll := func(to, from net.Conn) {
		_, _ = io.Copy(io.MultiWriter(to, counter{&s.bytes}), from) // an end is an end
		to.Close()
	}
	go copyAll(server, client)
	copyAll(client, server)
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

func (s *sshd) stop() {
	s.counter.Close()
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}
