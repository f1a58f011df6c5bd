package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kevinburke/ssh_config"
)

// userConfig is what ~/.ssh/config and /etc/ssh/ssh_config say, the user's first.
// They are read when they are first asked about.
type userConfig struct {
	home string // empty: there is no such configuration
	read func() ([]*ssh_config.Config, error)
}

const systemConfig = "/etc/ssh/ssh_config"

func newUserConfig(home string) *userConfig {
	return &userConfig{home: home, read: sync.OnceValues(func() ([]*ssh_config.Config, error) {
		if home == "" {
			return nil, nil
		}
		var all []*ssh_config.Config
		for _, path := range []string{filepath.Join(home, ".ssh", "config"), systemConfig} {
			text, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			config, err := ssh_config.DecodeBytes(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w; turnout follows Host blocks, Match host and Match all", path, err)
			}
			all = append(all, config)
		}
		return all, nil
	})}
}

// about is what the configuration says about a host, by the name one would give
// to ssh.
type about struct {
	files []*ssh_config.Config
	home  string
	alias string
	host  string // as it is connected to
	user  string
	port  int
}

func (c *userConfig) about(alias string) (*about, error) {
	files, err := c.read()
	if err != nil {
		return nil, err
	}
	a := &about{files: files, home: c.home, alias: alias, host: alias}
	for _, key := range []string{"ProxyCommand", "KnownHostsCommand", "PKCS11Provider", "SecurityKeyProvider"} {
		if value := a.first(key); value != "" && value != "none" {
			return nil, fmt.Errorf("~/.ssh/config: host %s: turnout can't follow %s %s", alias, key, value)
		}
	}
	if name := a.first("HostName"); name != "" {
		a.host = strings.ReplaceAll(name, "%h", alias)
	}
	a.user = a.first("User")
	if text := a.first("Port"); text != "" {
		if a.port, err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("~/.ssh/config: host %s: Port %s is no number", alias, text)
		}
	}
	return a, nil
}

// first is a setting's value; the first one counts.
func (a *about) first(key string) string {
	if values := a.all(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// all are the values of a setting that may be given several times.
func (a *about) all(key string) []string {
	var all []string
	for _, file := range a.files {
		values, err := file.GetAll(a.alias, key)
		if err == nil {
			all = append(all, values...)
		}
	}
	return all
}

// timeout is ConnectTimeout, 0 where it is not set.
func (a *about) timeout() time.Duration {
	seconds, _ := strconv.Atoi(a.first("ConnectTimeout"))
	return time.Duration(seconds) * time.Second
}

// paths are the files that a setting names, with what ssh_config(5) has replaced
// in them. user is who logs in.
func (a *about) paths(key, user string, port int) ([]string, error) {
	var all []string
	for _, value := range a.all(key) {
		for path := range strings.FieldsSeq(strings.ReplaceAll(value, `"`, "")) {
			if path == "none" {
				continue
			}
			path, err := expand(path, a.home, map[byte]string{
				'h': a.host, 'n': a.alias, 'p': strconv.Itoa(port), 'r': user, 'd': a.home, 'u': filepath.Base(a.home), '%': "%",
			})
			if err != nil {
				return nil, fmt.Errorf("~/.ssh/config: host %s: %s: %w", a.alias, key, err)
			}
			all = append(all, path)
		}
	}
	return all, nil
}

// expand replaces a leading ~ and the %-tokens of a path.
func expand(path, home string, tokens map[byte]string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home == "" {
			return "", fmt.Errorf("%s: there is no home directory here", path)
		}
		path = filepath.Join(home, rest)
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		i++
		if i == len(path) || tokens[path[i]] == "" {
			return "", fmt.Errorf("%s: turnout does not know this %%-token", path)
		}
		b.WriteString(tokens[path[i]])
	}
	return b.String(), nil
}

// jumps are the hosts of ProxyJump, the first hop first.
func (a *about) jumps() []string {
	value := a.first("ProxyJump")
	if value == "" || strings.EqualFold(value, "none") {
		return nil
	}
	return strings.Split(value, ",")
}
