package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A plain command is a script for bash that is one simple command of nothing but
// words: there bash only looks a program up and becomes it (the shell's last
// command is executed, not forked). Doing that here saves starting bash, most of
// what a short command takes. Whatever is not certain is left to bash, and so is
// everything that goes wrong, so that its messages and exit codes stay.

// plainWords are the words of a plain command.
func plainWords(script string) ([]string, bool) {
	script = strings.Trim(script, " \t\n")
	if strings.IndexFunc(script, notPlain) >= 0 {
		return nil, false
	}
	words := strings.FieldsFunc(script, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 0 {
		return nil, false
	}
	first := words[0]
	switch {
	case first == "true" || first == "false":
		return words, len(words) == 1 // the programs take --help, what is built in does not
	case strings.Contains(first, "="), strings.HasPrefix(first, "-"), slices.Contains(bashOwn, first):
		return nil, false
	}
	return words, true
}

// notPlain reports whether a character may mean something to bash.
func notPlain(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune(" \t_-+.,/:@%=", r)
}

// bashOwn are bash's builtins and keywords that are plain words, of all versions up
// to 5.3 (compgen -b, compgen -k).
var bashOwn = strings.Fields(`
	. : alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs disown
	do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash help history if in jobs
	kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source
	suspend test then time times trap type typeset ulimit umask unalias unset until wait while`)

// changesBash reports whether a variable tells bash to be another, or is one that
// it would change before it handed it on.
func changesBash(name string) bool {
	switch name {
	case "COMP_WORDBREAKS", "DIRSTACK", "EPOCHREALTIME", "EPOCHSECONDS", "EXECIGNORE", "FUNCNAME", "GROUPS", "HISTCMD", "IFS",
		"LINENO", "OPTERR", "OPTIND", "POSIXLY_CORRECT", "PPID", "PS4", "RANDOM", "SECONDS", "SHELLOPTS", "SRANDOM":
		return true
	}
	return strings.HasPrefix(name, "BASH")
}

// setByBash reports whether a variable is one that bash looks at or sets.
func setByBash(name string) bool {
	switch name {
	case "PATH", "PWD", "OLDPWD", "SHLVL", "_":
		return true
	}
	return false
}

// plain is the command as bash would execute it: its program, arguments, and
// environment. It is false where bash is to do it.
func (c Command) plain(environ []string) (program string, words, changed []string, is bool) {
	if words, is = plainWords(c.Script); !is {
		return "", nil, nil, false
	}
	if _, bash := findBash(); !bash {
		return "", nil, nil, false // what another shell would do is not known
	}
	own := make(map[string]string)
	changed = make([]string, 0, len(environ)+3)
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case changesBash(name):
			return "", nil, nil, false
		case setByBash(name):
			own[name] = value
		default:
			changed = append(changed, variable)
		}
	}
	program, found := inPath(words[0], own["PATH"])
	if !found || !settle(own, c.Dir) {
		return "", nil, nil, false
	}
	own["_"] = program
	for name, value := range own {
		changed = append(changed, name+"="+value)
	}
	return program, words, changed, true
}

// inPath finds a program as bash does. A name with a slash is a path already; it
// need not be there.
func inPath(name, path string) (string, bool) {
	if strings.Contains(name, "/") {
		return name, true
	}
	for dir := range strings.SplitSeq(path, ":") {
		if !filepath.IsAbs(dir) {
			return "", false // counts from the command's directory
		}
		program := strings.TrimSuffix(dir, "/") + "/" + name
		var info unix.Stat_t
		if unix.Stat(program, &info) == nil && info.Mode&unix.S_IFMT == unix.S_IFREG && unix.Access(program, unix.X_OK) == nil {
			system := dir == "/bin" || dir == "/usr/bin"
			return program, system || name != "true" && name != "false" // bash would not have looked
		}
	}
	return "", false
}

// settle sets the variables that bash sets for what it executes from dir. It is
// false where that would take more than is worth doing.
func settle(vars map[string]string, dir string) bool {
	level, set := vars["SHLVL"]
	n, err := strconv.Atoi(level)
	switch {
	case !set:
		vars["SHLVL"] = "0"
	case err != nil || n < 0 || n > 900 || strconv.Itoa(n) != level:
		return false
	}
	if former, set := vars["OLDPWD"]; set && !isDir(former) {
		return false
	}
	if dir == "" {
		if dir, err = os.Getwd(); err != nil {
			return false
		}
	}
	here, err := os.Stat(dir)
	if err != nil {
		return false
	}
	if named, err := os.Stat(vars["PWD"]); err == nil && filepath.IsAbs(vars["PWD"]) && os.SameFile(named, here) {
		return true
	}
	vars["PWD"], err = filepath.EvalSymlinks(dir)
	return err == nil && filepath.IsAbs(dir)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
