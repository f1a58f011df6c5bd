package proxy

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
	"github.com/org/deploy-action/templates"
)

// dialect is everything in which nginx and HAProxy differ.
type dialect struct {
	template string
	address  func(value.Address) string // as a server line spells it

	// Shell commands, used where the site names none.
	check   func(context.Context, Site) string
	reload  func(context.Context, Site) (string, error)
	version string // of the proxy's program; prints a line with a version in it

	selector func(Site) value.Path                      // the file that holds the selector
	read     func(Site) (traffic, error)                // what the file says; no slot when it says nothing
	write    func(Site, traffic) error                  // makes the file say it
	tell     func(context.Context, Site, traffic) error // makes the running proxy hear it
	settle   func(context.Context, Site, traffic) error // makes those hear it that are about to run
	answer   func(context.Context, Site) (Answer, error)
	ready    func(context.Context, Site, Pool) error // waits until the pool can take requests
	open     func(context.Context, Site, Pool) (int, error)
	count    func(ctx context.Context, s Site, since string) (Counted, error) // but for Counted.Down
	down     func(context.Context, Site, Pool) ([]string, error)

	problems  func(Site, string) []string              // what the check's output gives away and its status hides
	owners    func(context.Context, Site) map[int]bool // the running proxy's processes
	stopped   func(context.Context, Site) string       // why it is known not to run; empty: not known
	leaving   func(pid int) bool                       // the process takes no new connections
	reloading func(context.Context, Site) bool         // it does; nil where no order to reload gets lost
	where     string                                   // where to look when a reload is refused
}

// sbin is where distributions put the proxies, and what a user's PATH lacks.
const sbin = `PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; `

func nginx() dialect {
	return dialect{
		template: templates.NGINX,
		address:  func(a value.Address) string { return string(a) },
		check:    func(_ context.Context, s Site) string { return s.program("nginx -t -c " + string(s.Main)) },
		reload: func(_ context.Context, s Site) (string, error) {
			return s.program("nginx -s reload -c " + string(s.Main)), nil
		},
		version:  "nginx -v",
		selector: func(s Site) value.Path { return s.liveDir() + "/" + value.Path(s.Pools[1].Slot) },
		read:     readPoints,
		write:    writePoints,
		tell:     func(context.Context, Site, traffic) error { return nil }, // the link is followed per request
		settle:   func(context.Context, Site, traffic) error { return nil },
		answer:   answerByPoints,
		ready:    anyAnswers,
		open:     established,
		count:    countLogged,
		down:     refusing,
		problems: conflicts,
		owners:   nginxProcesses,
		stopped:  nginxStopped,
		leaving:  shuttingDown,
		where:    "look into nginx's error log",
	}
}

func haproxy() dialect {
	return dialect{
		template:  templates.HAProxy,
		address:   haproxyAddress,
		check:     haproxyCheck,
		reload:    haproxyReload,
		version:   "haproxy -v",
		selector:  func(s Site) value.Path { return s.liveDir() + "/slot.map" },
		read:      readMap,
		write:     writeMap,
		tell:      tellMap,
		settle:    settleMap,
		answer:    answerAtOnce,
		ready:     awaitUp,
		open:      sessions,
		count:     countEvents,
		down:      marked,
		problems:  func(Site, string) []string { return nil }, // refuses what it sees
		owners:    haproxyProcesses,
		stopped:   haproxyStopped,
		leaving:   func(int) bool { return true }, // the new process has the listener before the old one lets go
		reloading: haproxyReloading,
		where:     "look into HAProxy's log (journalctl -u haproxy)",
	}
}

func (s Site) dialect() dialect {
	if s.Kind == HAProxy {
		return haproxy()
	}
	return nginx()
}

func haproxyAddress(a value.Address) string {
	network, address := a.Network()
	if network == "unix" {
		return "unix@" + address
	}
	return address
}

func (s Site) selector() value.Path { return s.dialect().selector(s) }

// liveDir is where the selector lives.
func (s Site) liveDir() value.Path { return s.StateDir + "/live" }

// requestLog is where nginx logs requests of a split.
func (s Site) requestLog() value.Path { return s.liveDir() + "/requests.log" }

// keptDir is where former configurations are kept.
func (s Site) keptDir() string { return filepath.Join(string(s.StateDir), "configs") }

func (s Site) checkCommand(ctx context.Context) string {
	if s.Check != "" {
		return s.Check
	}
	return s.dialect().check(ctx, s)
}

func (s Site) reloadCommand(ctx context.Context) (string, error) {
	if s.Reload != "" {
		return s.Reload, nil
	}
	return s.dialect().reload(ctx, s)
}

var versionPattern = regexp.MustCompile(`\b(\d+)\.(\d+)\.(\d+)`)

// version asks the installed proxy for its version; "" when there is no answer.
func (s Site) version(ctx context.Context, at machine.At) string {
	exit, err := machine.Run.Do(ctx, quiet(at), machine.Command{Shell: s.program(s.dialect().version), Timeout: askTime})
	if err != nil {
		return ""
	}
	return versionPattern.FindString(strings.Join(exit.Tail, "\n"))
}

// The versions of nginx that brought a directive (nginx.org/en/CHANGES).
var (
	hasHTTP2Listen  = [3]int{1, 9, 5}  // listen … http2
	hasHTTP2        = [3]int{1, 25, 1} // http2 on, instead of that
	hasKeepaliveMin = [3]int{1, 27, 4} // keepalive_min_timeout
)

// isNGINX reports whether the proxy is an nginx of that version or a later one.
func (s Site) isNGINX(from [3]int) bool {
	match := versionPattern.FindStringSubmatch(s.Version)
	if s.Kind != NGINX || match == nil || match[0] != s.Version {
		return false
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(match[i+1]) // digits by the pattern
	}
	return slices.Compare(n[:], from[:]) >= 0
}
