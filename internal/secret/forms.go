package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strings"
)

const (
	minSecret = 3 // bytes; see Masker
	minLine   = 4 // bytes of one line of a secret of several
	minPiece  = 4 // characters of a piece of base64
)

// forms are the texts that give a secret away: the secret itself, or its lines,
// each also as shells and HTML write it, and the whole of it as JSON and URLs
// escape it, in hexadecimal and in base64: on its own, in lines as base64(1) and
// openssl break it, and from within something longer, such as user:secret.
func forms(secret string) []string {
	secret = strings.Trim(secret, "\r\n")
	if len(strings.TrimSpace(secret)) < minSecret {
		return nil
	}
	var all []string
	for _, line := range plain(secret) {
		all = append(append(all, line, html.EscapeString(line), pythonHTML.Replace(line)), shellWords(line)...)
	}
	all = append(all, escaped(secret)...)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		whole := encoding.EncodeToString([]byte(secret))
		all = append(all, whole, strings.TrimRight(whole, "="))
		all = append(all, within(secret, encoding)...)
		all = append(all, broken(whole, 76)...)
		all = append(all, broken(whole, 64)...)
	}
	return all
}

// plain is the secret, or those of its lines that are long enough.
func plain(secret string) []string {
	if !strings.Contains(secret, "\n") {
		return []string{secret}
	}
	var lines []string
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); len(line) >= minLine {
			lines = append(lines, line)
		}
	}
	if lines == nil {
		return []string{secret}
	}
	return lines
}

func escaped(secret string) []string {
	query, path := url.QueryEscape(secret), url.PathEscape(secret)
	digits := hex.EncodeToString([]byte(secret))
	return []string{query, path, lowerHex(query), lowerHex(path), jsonText(secret, true), jsonText(secret, false), digits, strings.ToUpper(digits)}
}

// pythonHTML escapes as Python, PHP and most other languages do; Go writes
// numbers for both quotes.
var pythonHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;")

// shellWords is a line as `set -x`, `printf %q` of bash and Python's shlex show it.
func shellWords(line string) []string {
	var slashed strings.Builder
	for _, r := range line {
		if strings.ContainsRune(" \t!\"#$&'()*,;<>?[\\]^`{|}~", r) {
			slashed.WriteByte('\\')
		}
		slashed.WriteRune(r)
	}
	return []string{strings.ReplaceAll(line, "'", `'\''`), strings.ReplaceAll(line, "'", `'"'"'`), slashed.String()}
}

// lowerHex writes the escapes of a URL in lower case, as RFC 3986 also allows.
func lowerHex(escaped string) string {
	b := []byte(escaped)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

// jsonText is the secret within a JSON string.
func jsonText(secret string, escapeHTML bool) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(escapeHTML)
	_ = encoder.Encode(secret) // a string always encodes, and a Builder takes it
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

// within is what is left of the secret in the base64 of a text that contains
// it, for each of the three places where it can begin in a group of three
// bytes, without the characters that its neighbours have a part in.
func within(secret string, encoding *base64.Encoding) []string {
	var pieces []string
	for before := range 3 {
		text := encoding.EncodeToString(append(make([]byte, before, before+len(secret)), secret...))
		first := (before*8 + 5) / 6
		last := (before + len(secret)) * 8 / 6
		if last-first >= minPiece {
			pieces = append(pieces, text[first:last])
		}
	}
	return pieces
}

// broken is text in lines of width, where that makes several.
func broken(text string, width int) []string {
	var lines []string
	for len(text) > width {
		lines = append(lines, text[:width])
		text = text[width:]
	}
	if lines != nil && len(text) >= minPiece {
		lines = append(lines, text)
	}
	return lines
}
