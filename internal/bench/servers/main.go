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
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/bench/beside"
)

// options are what the command line says.
type options struct {
	hosts, measure    string
	rounds            int
	turnout, droneSSH string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "floor" {
		os.Exit(floor(os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.hosts, "hosts", "1,10,50,200", "numbers of servers for one command")
	flag.StringVar(&o.measure, "measure", "command,five,metrics", "what to measure")
	flag.IntVar(&o.rounds, "rounds", 5, "runs of each")
	flag.StringVar(&o.turnout, "turnout", "bin/turnout", "the program to measure")
	flag.StringVar(&o.droneSSH, "drone-ssh", "", "drone-ssh, the program within appleboy/ssh-action; left out where it is not named")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
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
	stop, err := startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	for _, what := range strings.Split(o.measure, ",") {
		switch what {
		case "command":
			err = o.commands(ctx, bench, dir)
		case "five":
			err = o.show(ctx, bench, fmt.Sprintf("5 commands on each of %d servers", manyHosts), site{dir: dir, hosts: manyHosts}, o.five)
		case "metrics":
			err = o.show(ctx, bench, fmt.Sprintf("CPU, memory and disk of %d servers", manyHosts), site{dir: dir, hosts: manyHosts}, o.metrics)
		default:
			err = fmt.Errorf("-measure: %q is none of command, five, metrics", what)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o options) commands(ctx context.Context, bench *beside.Bench, dir string) error {
	for _, hosts := range strings.Split(o.hosts, ",") {
		n, err := strconv.Atoi(hosts)
		if err != nil {
			return fmt.Errorf("-hosts: %w", err)
		}
		if err := o.show(ctx, bench, fmt.Sprintf("true on each of %d servers", n), site{dir: dir, hosts: n}, o.command); err != nil {
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
	}
	if _, err := bench.Run(ctx, 1, all); err != nil {
		return err
	}
	measured, err := bench.Run(ctx, o.rounds, all)
	if err != nil {
		return err
	}
	return beside.Table(os.Stdout, title, measured)
}

// installed reports whether a peer is there.
func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
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
	if installed("ansible") {
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
	if o.droneSSH != "" {
		scripts := []string{o.droneSSH, "-H", strings.Join(s.addresses(), ","), "-p", port, "-u", userName, "-i", s.path("id")}
		for range times {
			scripts = append(scripts, "-s", "true")
		}
		all = append(all, beside.Contender{Name: "drone-ssh", Args: scripts})
	}
	if installed("parallel-ssh") {
		add("pssh", []string{"parallel-ssh", "-h", s.path("hosts"), "-p", "50", "-x", "-F" + s.path("ssh_config"), "true"})
	}
	if installed("clush") {
		add("clush", []string{"clush", "-w", strings.Join(s.addresses(), ","), "-f", "50", "-o", "-F" + s.path("ssh_config"), "true"})
	}
	if installed("ansible") && times == 1 {
		add("ansible", s.ansible("-m", "command", "-a", "true"))
	}
	if installed("ansible-playbook") && times > 1 {
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
