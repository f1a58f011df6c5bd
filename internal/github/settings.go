package github

import "strings"

// Settings are the inputs of the action that are no part of the command line:
// secrets have no business there, and the rest is about GitHub alone.
type Settings struct {
	Key, Passphrase, KnownHosts string // of servers whose login the spec leaves open

	Token       string // for GitHub's API; empty: nothing is told there
	Comment     bool   // pull requests get a comment
	Deployments bool   // environments that move are told as deployments
	AllowForks  bool   // what a fork proposes may be deployed
}

// tokenVariable is for jobs that call turnout themselves and have no inputs. It
// is not GITHUB_TOKEN, which jobs set for other programs.
const tokenVariable = "TURNOUT_GITHUB_TOKEN"

// readSettings reads the inputs; an error is a mistake in one of them.
func readSettings(getenv func(string) string) (Settings, error) {
	get := func(name string) string { return getenv("INPUT_" + strings.ToUpper(name)) }
	s := Settings{
		Key: filled(get("key")), Passphrase: strings.TrimRight(get("passphrase"), "\r\n"),
		KnownHosts: filled(get("known_hosts")), Token: strings.TrimSpace(get("token")),
	}
	if s.Token == "" {
		s.Token = strings.TrimSpace(getenv(tokenVariable))
	}
	var err error
	for _, input := range []struct {
		name     string
		fallback bool
		value    *bool
	}{{"comment", true, &s.Comment}, {"deployments", true, &s.Deployments}, {"allow_forks", false, &s.AllowForks}} {
		if *input.value, err = boolean(input.name, get(input.name), input.fallback); err != nil {
			return Settings{}, err
		}
	}
	return s, nil
}

// filled is text unless it is blank: a secret that does not exist is empty.
func filled(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return text
}

// Secrets are those of the settings that must appear in no output.
func (s Settings) Secrets() []string {
	var all []string
	for _, secret := range []string{s.Key, s.Passphrase, s.Token} {
		if secret != "" {
			all = append(all, secret)
		}
	}
	return all
}
