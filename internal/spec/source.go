package spec

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// sourceText is what src says in e, in the canonical layout and without
// comments: the same words for the same expression wherever it stands.
func sourceText(src []byte, e hclsyntax.Expression) string {
	at := e.Range()
	if at.End.Byte > len(src) || at.Start.Byte > at.End.Byte {
		return ""
	}
	text := src[at.Start.Byte:at.End.Byte]
	return layout(withoutComments(text))
}

// layout is an expression in the canonical layout.
func layout(text []byte) string {
	laidOut := hclwrite.Format(slices.Concat([]byte("x = "), text))
	return strings.TrimSpace(strings.TrimPrefix(string(laidOut), "x = "))
}

// withoutComments is an expression without its comments. The end of a line that
// belongs to one stays: it may be what parts two elements.
func withoutComments(text []byte) []byte {
	tokens, _ := hclsyntax.LexExpression(text, "", hcl.InitialPos)
	var out bytes.Buffer
	at := 0
	for _, token := range tokens {
		out.Write(text[at:token.Range.Start.Byte])
		at = token.Range.End.Byte
		switch {
		case token.Type == hclsyntax.TokenNewline, token.Type == hclsyntax.TokenComment && bytes.HasSuffix(token.Bytes, []byte("\n")):
			out.WriteByte('\n')
		case token.Type != hclsyntax.TokenComment:
			out.Write(token.Bytes)
		}
	}
	out.Write(text[at:])
	return out.Bytes()
}
