package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/org/deploy-action/internal/value"
)

// What follows is what neither "nginx -t" nor "haproxy -c" sees.

// replaceable is an error where the configuration cannot be replaced in one step.
func (s Site) replaceable() error {
	dir := filepath.Dir(string(s.Config))
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a directory that is there: is the proxy installed on this machine?", dir)
	}
	real, err := filepath.EvalSymlinks(string(s.Config))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line) // "36 35 98:0 /root /mount/point options …", proc(5)
		if len(fields) > 4 && fields[4] == real {
			return fmt.Errorf("%s is a mount of its own and can't be replaced in one step: mount its directory %s instead", real, filepath.Dir(real))
		}
	}
	return nil
}

// listenable is an error where the port is held by somebody else: nginx would
// keep its old configuration without a word, HAProxy would refuse every
// connection for 2 s. A port that the file on disk has already is ours.
//
// HAProxy binds a port of its own a second time without complaint and then
// shares out the connections, so for it any holder is somebody else.
func (s Site) listenable(ctx context.Context, live Live) error {
	if answer, err := s.ask(ctx); err == nil && answer.ID != "" && live.Header == nil {
		return nil // the file was deleted under the proxy that serves it
	}
	p := s.page()
	var errs []error
	for _, bind := range []value.Address{p.Bind, p.Bind6, p.Redirect.Bind, p.Redirect.Bind6} {
		if bind == "" || live.Header != nil && slices.Contains(strings.FieldsFunc(live.Body, spaced), string(bind)) {
			continue
		}
		if err := s.bindable(ctx, bind); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// spaced reports whether r ends a word in either proxy's configuration.
func spaced(r rune) bool { return r == ' ' || r == '\n' || r == ';' }

// bindable is an error where somebody else holds an address.
func (s Site) bindable(ctx context.Context, bind value.Address) error {
	sockets, err := listeners(bind)
	if err != nil {
		return err
	}
	if len(sockets) == 0 || free(bind) {
		return nil
	}
	pids := holders(sockets)
	owners := s.dialect().owners(ctx, s)
	others := without(pids, owners)
	if s.Kind == NGINX && len(others) == 0 {
		return nil
	}
	if len(others) == 0 && len(pids) > 0 {
		return fmt.Errorf("listen %s: another frontend of this HAProxy has the port: give this environment its own", bind)
	}
	return fmt.Errorf("listen %s: the port is held by %s: the proxy could not take it", bind, describe(others))
}

func without(pids []int, known map[int]bool) []int {
	var rest []int
	for _, pid := range pids {
		if !known[pid] {
			rest = append(rest, pid)
		}
	}
	return rest
}

// free reports whether nobody holds the address. One that we may not bind may be
// held.
func free(bind value.Address) bool {
	network := "tcp4"
	if bind[0] == '[' {
		network = "tcp6" // alone, as both proxies bind it
	}
	listener, err := net.Listen(network, string(bind))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

var chrootDirective = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^\s*chroot\s+(\S+)`)
})

// reachable is an error where HAProxy could not be told to switch, and for a
// unix socket that its workers cannot see because the main file locks them into
// a directory, as Debian's does.
func (s Site) reachable(ctx context.Context) error {
	if s.Kind != HAProxy {
		return nil
	}
	if _, err := command(ctx, s.Socket, "show info"); err != nil {
		return err
	}
	if err := s.covered(ctx); err != nil {
		return err
	}
	match := chrootDirective().FindStringSubmatch(remark.ReplaceAllString(texts(s.haproxyFiles(ctx)), ""))
	if match == nil || s.Container != "" {
		return nil
	}
	for _, pool := range s.Pools {
		for _, address := range pool.Addresses {
			network, path := address.Network()
			if network == "unix" && !isDir(filepath.Join(match[1], filepath.Dir(path))) {
				return fmt.Errorf("slot %s: HAProxy can't reach %s: %s has \"chroot %s\"; take the line out, mount %s below it, or let the slot listen on a port",
					pool.Slot, path, s.Main, match[1], filepath.Dir(path))
			}
		}
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

var conflictWarning = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`conflicting server name "([^"]*)" on (\S+), ignored`)
})

// conflicts finds nginx's warning that another server block has our host name:
// it would go on answering, and ours never would.
func conflicts(s Site, output string) []string {
	var found []string
	for _, match := range conflictWarning().FindAllStringSubmatch(output, -1) {
		if match[1] == string(s.Hostname) && strings.HasSuffix(match[2], fmt.Sprintf(":%d", s.Listen.Port)) {
			found = append(found, fmt.Sprintf("another server block already has server_name %q on %s, and nginx would ignore one of the two: remove it there, or give this environment another hostname", match[1], match[2]))
		}
	}
	return found
}
