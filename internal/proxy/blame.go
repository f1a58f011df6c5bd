package proxy

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// A check that fails has to say whose fault it is: the deploy's, or that of a file
// that somebody else keeps in the same tree.

var (
	// places are where nginx and HAProxy say that a mistake is.
	places = regexp.MustCompile(`(?m)(?: in |\[)(/[^\s:\]]+):(\d+)(?:\]|$)`)

	// clashes are how they say that a name is given twice.
	clashes = regexp.MustCompile(`duplicate upstream "([^"]+)"|duplicate "log_format" name "([^"]+)"|(?:frontend|backend|proxy|ring) '([^']+)' has the same name`)
)

// blame is the error of a check that failed. The same check without this
// deploy's change tells whether that is to blame.
func (t trial) blame(ctx context.Context, output string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if t.site.Hostname == "" && strings.Contains(output, "duplicate default server") {
		return fmt.Errorf("another site of this nginx is the default one already (Debian's is /etc/nginx/sites-enabled/default): remove it, or give the proxy a hostname: %w", err)
	}
	if match := clashes.FindStringSubmatch(output); match != nil && strings.Contains(match[0], string(t.site.Env)) {
		return fmt.Errorf("the proxy has the name %q already, from another file: give this environment another name, or rename it there: %w", match[1]+match[2]+match[3], err)
	}
	t.file = t.former
	_, _, broken := t.run(ctx)
	if broken == nil {
		return err
	}
	return fmt.Errorf("the proxy's configuration does not pass its check as it is, without this deploy's change%s: mend that first; nothing was changed: %w", t.elsewhere(output), broken)
}

// elsewhere names the file of somebody else's that a check complains of; empty
// where it names none.
func (t trial) elsewhere(output string) string {
	for _, match := range places.FindAllStringSubmatch(output, -1) {
		if !same(match[1], string(t.site.Config)) {
			return fmt.Sprintf(" (%s:%s is not turnout's)", match[1], match[2])
		}
	}
	return ""
}
