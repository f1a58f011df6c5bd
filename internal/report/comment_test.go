package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/plan"
	"github.com/org/deploy-action/internal/spec"
)

// commented is the comment of the switch that a run ended with.
func commented(events []event.Event) string {
	a := read(events)
	last := a.switches[len(a.switches)-1]
	return Comment(a.run, last.Switch, last.at)
}

func TestComment(t *testing.T) {
	for name, events := range map[string][]event.Event{
		"succeeded": succeeded(), "put_back": putBack(), "stranded": stranded(), "hostile": hostile(),
	} {
		t.Run(name, func(t *testing.T) { golden(t, "comment_"+name+".md", commented(events)) })
	}
}

func same(s string) string { return s }

func planOf(diff string) *plan.Plan {
	env := &spec.Environment{Name: "shop"}
	return &plan.Plan{Spec: "deploy.hcl", Deploys: []*plan.Deploy{{Environment: env, Preview: &plan.Preview{
		From: "blue", FromID: "20261124t1-aaaa", To: "green", Config: "/etc/nginx/conf.d/shop.conf", Diff: diff, Reload: true,
		Cost: "one reload", Problems: []string{"a|b </table> @org"}, Drift: []string{"somebody edited shop.conf"},
	}}}}
}

func TestPlanComment(t *testing.T) {
	golden(t, "comment_plan.md", PlanComment(planOf("--- a\n+++ b\n+```\n+</details>\n"), "https://github.com/org/shop/actions/runs/41", 1<<20, same))
}

// However long a plan is, its comment fits, ends what it began, and says that it
// was cut.
func TestPlanCommentIsBounded(t *testing.T) {
	for _, lines := range []int{1, 100, 3000, 100000} {
		t.Run(fmt.Sprint(lines), func(t *testing.T) {
			const limit = 60000
			text := PlanComment(planOf(strings.Repeat("+    server 10.0.0.1:8081;\n", lines)), "https://run/", limit, same)
			cut := strings.Contains(text, "left out")
			switch {
			case len(text) > limit:
				t.Errorf("%d bytes", len(text))
			case strings.Count(text, "<details>") != strings.Count(text, "</details>") || strings.Count(text, "```")%2 != 0:
				t.Errorf("something is left open:\n%s", text)
			case cut != (lines >= 3000):
				t.Errorf("cut: %t", cut)
			case !strings.Contains(text, "https://run/"):
				t.Error("the run is not named")
			}
		})
	}
}

// A secret is taken out before it is escaped: afterwards it can't be found.
func TestPlanCommentIsMaskedFirst(t *testing.T) {
	const planted = "s3cr3t_$ecret_|x"
	p := planOf("+" + planted + "\n")
	p.Deploys[0].Preview.Problems = []string{"it is " + planted}
	text := PlanComment(p, "", 1<<20, func(s string) string { return strings.ReplaceAll(s, planted, "***") })
	if strings.Contains(text, planted) || strings.Contains(text, escape(planted)) || !strings.Contains(text, "it is &#42;&#42;&#42;") {
		t.Errorf("a secret shows:\n%s", text)
	}
}
