package artifact

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is a name as file systems have it: bytes, which need not be UTF-8. JSON
// has it as a string, or as {"base64": "…"} where a string can't hold it.
type Text string

type encodedText struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON keeps every byte.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(encodedText{[]byte(t)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Text) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = Text(s)
		return nil
	}
	var encoded encodedText
	err := json.Unmarshal(data, &encoded)
	*t = Text(encoded.Base64)
	return err
}

// String is the name as messages show it: as it is or, where it could pass for
// something else in a terminal or in GitHub's log, quoted as Go quotes.
func (t Text) String() string {
	quoted := strconv.Quote(string(t))
	bare := quoted == `"`+string(t)+`"` && strings.TrimSpace(string(t)) == string(t)
	if bare && t != "" && !strings.Contains(quoted, "##[") && !strings.HasPrefix(string(t), "::") {
		return string(t)
	}
	return strings.ReplaceAll(quoted, "##[", `#\x23[`)
}

// cause is what the system says, without the path: messages show paths their
// own way.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}
