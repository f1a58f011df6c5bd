// Servers measures what a command on many servers costs, and what looking at them
// does, beside the tools that people use for it, and beside a program that does
// nothing but log in and run the command.
//
// All servers are one sshd of this machine, asked at as many addresses of the
// loopback: what it takes to serve them is the same for all contenders. It needs
// root, for a user of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/org/deploy-action/internal/bench/beside"
	"github.com/org/deploy-action/internal/bench/sshd"
)

// options are what the command line says.
type options struct {
	hosts, measure, beside string
	rounds                 int
	turnout, droneSSH      string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "floor" {
		os.Exit(floor(os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.hosts, "hosts", "1,10,50,200", "numbers of servers for one command")
	flag.StringVar(&o.measure, "measure", "command,five,metrics", "what to measure")
	flag.StringVar(&o.beside, "beside", "drone-ssh,pssh,clush,ansible", "whom to measure beside turnout, of those that are there; none: nobody")
	flag.IntVar(&o.rounds, "rounds", 5, "runs of each; of a peer that took more than 5 s in its first, one")
	flag.StringVar(&o.turnout, "turnout", "bin/turnout", "the program to measure")
	flag.StringVar(&o.droneSSH, "drone-ssh", "", "drone-ssh, the program within appleboy/ssh-action; left out where it is not named")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

// manyHosts is how many servers the measurements have that are not about their
// number.
const manyHosts = 50

func (o options) run(ctx context.Context) (err error) {
	if o.turnout, err = filepath.Abs(o.turnout); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "turnout-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bench, err := beside.New(ctx, dir)
	if err != nil {
		return err
	}
	s := site{dir: dir, hosts: manyHosts}
	if s.Site, err = sshd.NewSite(ctx, dir); err != nil {
		return err
	}
	if s.server, err = s.Start(ctx, sshd.Listener{Address: "0.0.0.0", Port: port}); err != nil {
		return err
	}
	defer s.server.Stop()
	for _, what := range strings.Split(o.measure, ",") {
		switch what {
		case "command":
			err = o.commands(ctx, bench, s)
		case "five":
			err = o.show(ctx, bench, fmt.Sprintf("5 commands on each of %d servers", manyHosts), s, o.five)
		case "metrics":
			err = o.show(ctx, bench, fmt.Sprintf("CPU, memory and disk of %d servers", manyHosts), s, o.metrics)
		default:
			err = fmt.Errorf("-measure: %q is none of command, five, metrics", what)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o options) commands(ctx context.Context, bench *beside.Bench, s site) error {
	for _, hosts := range strings.Split(o.hosts, ",") {
		n, err := strconv.Atoi(hosts)
		if err != nil {
			return fmt.Errorf("-hosts: %w", err)
		}
		s.hosts = n
		if err := o.show(ctx, bench, fmt.Sprintf("true on each of %d servers", n), s, o.command); err != nil {
			return err
		}
	}
	return nil
}

// show measures contenders on a site, once each has been there before: turnout
// has left its agent then, and Ansible its folders.
func (o options) show(ctx context.Context, bench *beside.Bench, title string, s site, contenders func(site) []beside.Contender) error {
	if err := s.write(); err != nil {
		return err
	}
	all := contenders(s)
	for i := range all {
		all[i].Dir, all[i].Floor, all[i].Each = s.folder(), all[0].Name, s.hosts
		all[i].Others, all[i].Peer = s.server.CPU, i > 1 // the floor, turnout
	}
	measured, err := bench.RunAfterOne(ctx, o.rounds, all)
	if err != nil {
		return err
	}
	return beside.Table(os.Stdout, title, measured)
}

// has reports whether a peer is wanted and there.
func (o options) has(peer, program string) bool {
	_, err := exec.LookPath(program)
	return err == nil && slices.Contains(strings.Split(o.beside, ","), peer)
}

// command is one command on every server.
func (o options) command(s site) []beside.Contender {
	all := []beside.Contender{s.floor(1), {Name: "turnout task", Args: []string{o.turnout, "task", "one"}}}
	return append(all, o.peers(s, 1)...)
}

// five are five commands, one after the other, on every server.
func (o options) five(s site) []beside.Contender {
	all := []beside.Contender{s.floor(5), {Name: "turnout run", Args: []string{o.turnout, "run"}}}
	return append(all, o.peers(s, 5)...)
}

// metrics are CPU, memory and disk of every server.
func (o options) metrics(s site) []beside.Contender {
	all := []beside.Contender{s.floor(1), {Name: "turnout servers metrics", Args: []string{o.turnout, "servers", "metrics", "-json"}}}
	if o.has("ansible", "ansible") {
		all = append(all, beside.Contender{Name: "ansible -m setup", Args: s.ansible("-m", "setup"), Env: s.ansibleEnv()})
	}
	return all
}

// peers run a command so many times.
func (o options) peers(s site, times int) []beside.Contender {
	var all []beside.Contender
	add := func(name string, args []string) {
		all = append(all, beside.Contender{Name: name, Args: repeat(args, times), Env: s.ansibleEnv()})
	}
	if o.droneSSH != "" && o.has("drone-ssh", o.droneSSH) {
		scripts := []string{o.droneSSH, "-H", strings.Join(s.addresses(), ","), "-p", port, "-u", sshd.User, "-i", s.path("id")}
		for range times {
			scripts = append(scripts, "-s", "true")
		}
		all = append(all, beside.Contender{Name: "drone-ssh", Args: scripts})
	}
	if o.has("pssh", "parallel-ssh") {
		add("pssh", []string{"parallel-ssh", "-h", s.path("hosts"), "-p", "50", "-x", "-F" + s.path("ssh_config"), "true"})
	}
	if o.has("clush", "clush") {
		add("clush", []string{"clush", "-w", strings.Join(s.addresses(), ","), "-f", "50", "-o", "-F" + s.path("ssh_config"), "true"})
	}
	if o.has("ansible", "ansible") && times == 1 {
		add("ansible", s.ansible("-m", "command", "-a", "true"))
	}
	if o.has("ansible", "ansible-playbook") && times > 1 {
		all = append(all, beside.Contender{Name: "ansible-playbook", Args: []string{"ansible-playbook", "-i", s.path("inventory"), "-f", "50", s.path("play.yml")}, Env: s.ansibleEnv()})
	}
	return all
}

// repeat has a program run so many times, one after the other.
func repeat(args []string, times int) []string {
	if times == 1 {
		return args
	}
	return append([]string{"sh", "-ec", fmt.Sprintf(`i=0; while [ $i -lt %d ]; do "$@" >/dev/null; i=$((i+1)); done`, times), "sh"}, args...)
}
