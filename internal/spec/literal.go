package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// valueText is v as an HCL expression.
func valueText(v cty.Value) string {
	t := v.Type()
	switch {
	case v.IsNull():
		return "null"
	case t == cty.String:
		return quote(v.AsString())
	case t == cty.Number:
		return numberText(v)
	case t == cty.Bool:
		return fmt.Sprint(v.True())
	case t.IsObjectType() || t.IsMapType():
		return mapText(v.AsValueMap())
	}
	var texts []string
	for _, element := range v.AsValueSlice() {
		texts = append(texts, valueText(element))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func mapText(elements map[string]cty.Value) string {
	if len(elements) == 0 {
		return "{}"
	}
	var out strings.Builder
	out.WriteString("{\n")
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		out.WriteString(keyText(name) + " = " + valueText(elements[name]) + "\n")
	}
	out.WriteString("}")
	return out.String()
}

// numberText is a number as HCL and JSON both read it, with an exponent where it
// would be endless without one.
func numberText(v cty.Value) string {
	n := v.AsBigFloat()
	if exponent := n.MantExp(nil); exponent < -128 || exponent > 128 {
		return n.Text('e', -1)
	}
	return n.Text('f', -1)
}

// quote is s between quotes, with what would be a template escaped.
func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

// faithful reports whether text, read as an expression, is v again. It is not
// where v has what HCL cannot write down: a set, or bytes that are no text.
func faithful(text string, v cty.Value) bool {
	file, diags := hclsyntax.ParseConfig([]byte("x = "+text+"\n"), "", hcl.InitialPos)
	if diags.HasErrors() {
		return false
	}
	again, diags := file.Body.(*hclsyntax.Body).Attributes["x"].Expr.Value(nil)
	return !diags.HasErrors() && again.RawEquals(v)
}

// scriptText is s as the value of an attribute: a script of several lines as a
// heredoc, indented where that does not change it, everything else between
// quotes.
func scriptText(s string, depth int) string {
	if !strings.HasSuffix(s, "\n") || strings.TrimSpace(s) == "" || strings.ContainsFunc(s, hidden) {
		return quote(s)
	}
	for _, text := range []string{heredoc("<<-", s, strings.Repeat("  ", depth)), heredoc("<<", s, "")} {
		if faithful(text, cty.StringVal(s)) {
			return text
		}
	}
	return quote(s)
}

// hidden are the characters that only an escape shows.
func hidden(c rune) bool { return c != '\n' && c != '\t' && !unicode.IsPrint(c) }

// heredoc is s between the two lines that mark a text, each of its own lines
// with margin before it.
func heredoc(opening, s, margin string) string {
	end := "EOT"
	for n := 2; strings.Contains(s, end); n++ {
		end = fmt.Sprintf("EOT%d", n)
	}
	var out strings.Builder
	out.WriteString(opening + end + "\n")
	for line := range strings.Lines(strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)) {
		if line != "\n" && margin != "" {
			out.WriteString(margin + "  ")
		}
		out.WriteString(line)
	}
	out.WriteString(margin + end)
	return out.String()
}

const day = 24 * time.Hour

// durationText is d as the spec writes it: "7d", "1h30m", "90s" as "1m30s".
func durationText(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
