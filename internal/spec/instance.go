package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/org/deploy-action/internal/value"
)

// Instance is the preview of one pull request.
type Instance struct {
	Name     value.Name // "shop-pr-123"
	Number   int        // of the pull request
	Port     value.Port
	Root     value.Path
	Hostname value.Hostname
	Start    string // shell commands
	Stop     string
}

// NameOf is the name of a pull request's preview. Nothing that the request's
// author can write has a part in it.
func (p *Preview) NameOf(number int) string { return string(p.Name) + "-pr-" + strconv.Itoa(number) }

// Of is the preview of one pull request at a port that was leased for it. The
// error names the place in the spec.
func (p *Preview) Of(number int, port value.Port) (Instance, error) { return p.of(number, port) }

// instances evaluates a preview block for one pull request after another.
func (b *body) instances(p *Preview, scope *hcl.EvalContext) func(int, value.Port) (Instance, error) {
	return func(number int, port value.Port) (Instance, error) {
		name, err := value.ParseName(p.NameOf(number))
		if err != nil {
			return Instance{}, err
		}
		i := Instance{Name: name, Number: number, Port: port}
		e := &instant{body: b, scope: of(p, scope, number, port)}
		i.Root = instantly(e, "root", paths)
		i.Hostname = instantly(e, "hostname", hostnames)
		i.Start, i.Stop = e.text("start", shell), e.text("stop", shell)
		if e.err == nil && strings.HasPrefix(string(i.Hostname), "*") {
			e.fail("hostname", fmt.Errorf("%q stands for many names, and a preview has one", i.Hostname))
		}
		return i, e.err
	}
}

// instant evaluates attributes once more, with other values. The file was found
// good with those of pull request 1, but a condition may choose others.
type instant struct {
	*body
	scope *hcl.EvalContext
	err   error // the first one
}

func (e *instant) fail(name string, err error) {
	if e.err == nil {
		e.err = fmt.Errorf("%s: %s: %w", place(e.valueRange(name)), name, err)
	}
}

func (e *instant) text(name string, u use) string {
	attribute := e.attribute(name)
	if attribute == nil {
		return ""
	}
	v, diags := attribute.Expr.Value(e.scope)
	if diags.HasErrors() {
		e.fail(name, diags)
		return ""
	}
	v, marks := v.UnmarkDeep()
	if hasMark(marks, untrusted) && !u.untrusted {
		e.fail(name, fmt.Errorf("is text that whoever opens a pull request can write"))
	}
	if hasMark(marks, sensitive) && !u.sensitive {
		e.fail(name, fmt.Errorf("is sensitive"))
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil || v.IsNull() || !v.IsKnown() {
		e.fail(name, fmt.Errorf("has no text for a value"))
		return ""
	}
	return v.AsString()
}

// instantly is parsed for an instant.
func instantly[T ~string](e *instant, name string, k kind[T]) T {
	v, err := k.parse(e.text(name, k.use))
	if err != nil {
		e.fail(name, err)
	}
	return v
}

// checkApart finds what all host names have in common, and refuses a preview
// that would be the same for every pull request.
func (b *body) checkApart(p *Preview) {
	one, err := p.Of(1, p.Ports[0])
	two, err2 := p.Of(22, p.Ports[1])
	if err != nil || err2 != nil || b.hurt(b.block.Range()) {
		return // told already, by the values of pull request 1
	}
	for name, same := range map[string]bool{"root": one.Root == two.Root, "hostname": one.Hostname == two.Hostname} {
		if same {
			b.errorf(b.valueRange(name), "Same for every pull request", "%q has to differ from pull request to pull request: put ${github.pull_request} or ${preview.name} into it.", name)
			return
		}
	}
	suffix := commonLabels(string(one.Hostname), string(two.Hostname))
	if suffix == "" {
		b.errorf(b.valueRange("hostname"), "No common domain", "The host names of previews have to lie in one domain, as in \"pr-${github.pull_request}.preview.example.com\": those in it that lead to no preview are answered with 404.")
		return
	}
	p.Domain = value.Hostname("*." + suffix)
}

// commonLabels is what two host names end in, in whole labels.
func commonLabels(a, b string) string {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	slices.Reverse(x)
	slices.Reverse(y)
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	common := x[:n]
	slices.Reverse(common)
	return strings.Join(common, ".")
}
