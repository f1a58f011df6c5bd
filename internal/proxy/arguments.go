package proxy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/value"
)

// HAProxy has no "include": what it reads are the files and directories that its
// command line names, the same ones at each reload. The check has to read them
// too, or it would miss what stands in another site's file.

// haproxyReads are those files and directories, in order; nil where the running
// HAProxy's processes are not to be seen.
func haproxyReads(ctx context.Context, s Site) []string {
	all := haproxyProcesses(ctx, s)
	for pid := range all {
		if !all[parent(pid)] { // the master; workers may be in a chroot
			return commandLine(pid).configurations()
		}
	}
	return nil
}

// arguments are a command line and the directory that its process is in.
type arguments struct {
	words []string
	dir   string
}

func commandLine(pid int) arguments {
	data, _ := os.ReadFile(filepath.Join(procDir(pid), "cmdline"))
	dir, _ := os.Readlink(filepath.Join(procDir(pid), "cwd"))
	return arguments{words: strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"), dir: dir}
}

// configurations are what "-f" and, at the end, "--" name (HAProxy's management
// guide, 3).
func (a arguments) configurations() []string {
	var named []string
	for i := 1; i < len(a.words); i++ {
		switch {
		case a.words[i] == "--":
			named = append(named, a.words[i+1:]...)
			i = len(a.words)
		case a.words[i] == "-f" && i+1 < len(a.words):
			i++
			named = append(named, a.words[i])
		}
	}
	for i, path := range named {
		if filepath.IsAbs(path) {
			continue
		}
		if !filepath.IsAbs(a.dir) {
			return nil // of another user's process it is not to be seen
		}
		named[i] = filepath.Join(a.dir, path)
	}
	return named
}

// haproxyCheck is the built-in check of HAProxy.
func haproxyCheck(ctx context.Context, s Site) string {
	command := "haproxy -c"
	for _, path := range s.haproxyFiles(ctx) {
		command += " -f " + quoted(path)
	}
	return s.program(command)
}

// haproxyFiles are what HAProxy reads. Where it can't be seen that is taken to be
// the main file, which may be a directory with the configuration in it.
func (s Site) haproxyFiles(ctx context.Context) []string {
	if named := haproxyReads(ctx, s); named != nil {
		return named
	}
	if covers(string(s.Main), s.Config) {
		return []string{string(s.Main)}
	}
	return []string{string(s.Main), string(s.Config)}
}

// quoted is a word for the shell.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// covers reports whether HAProxy reads a file by being told path: the file
// itself, or its directory, of which it reads what ends in ".cfg".
func covers(path string, file value.Path) bool {
	dir := filepath.Dir(string(file))
	return same(path, string(file)) || same(path, dir) && strings.HasSuffix(string(file), ".cfg")
}

// same reports whether two paths are the same after symbolic links.
func same(a, b string) bool {
	real := func(path string) string {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			return resolved
		}
		return path
	}
	return real(a) == real(b)
}

// covered is an error where the running HAProxy would not read the configuration at
// a reload. In a container its path may be another one.
func (s Site) covered(ctx context.Context) error {
	named := haproxyReads(ctx, s)
	if named == nil || s.Container != "" || slices.ContainsFunc(named, func(path string) bool { return covers(path, s.Config) }) {
		return nil
	}
	return fmt.Errorf("the running HAProxy does not read it: it was started with %s: add \"-f %s\" to its command line (on Debian to EXTRAOPTS in /etc/default/haproxy), restart it once, then deploy again",
		strings.Join(named, " "), s.Config)
}

// texts are the contents of all files that HAProxy reads, as far as we may.
func texts(paths []string) string {
	var all strings.Builder
	for _, path := range paths {
		files := []string{path}
		if isDir(path) {
			files, _ = filepath.Glob(filepath.Join(path, "*.cfg"))
		}
		for _, file := range files {
			data, _ := os.ReadFile(file)
			all.Write(data)
			all.WriteByte('\n')
		}
	}
	return all.String()
}
