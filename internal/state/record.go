package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// line is a record as it stands in a file: one line of JSON with a checksum of
// its data.
type line struct {
	Sum  string          `json:"sum"` // first 16 hex digits of the data's SHA-256
	Data json.RawMessage `json:"data"`
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// encode is record as a line, newline included.
func encode(record any) []byte {
	data, err := json.Marshal(record)
	if err != nil {
		panic("state: a record is plain data: " + err.Error())
	}
	text, err := json.Marshal(line{Sum: checksum(data), Data: data})
	if err != nil {
		panic("state: a line is plain data: " + err.Error())
	}
	return append(text, '\n')
}

// readLines returns the sound records of a file in order, and how many lines are
// torn or altered. A missing file holds none.
func readLines[T any](path string) (records []T, corrupt int, err error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	for _, raw := range bytes.Split(text, []byte("\n")) {
		if len(raw) == 0 {
			continue
		}
		var record T
		if decode(raw, &record) {
			records = append(records, record)
		} else {
			corrupt++
		}
	}
	return records, corrupt, nil
}

func decode(raw []byte, record any) bool {
	var l line
	if json.Unmarshal(raw, &l) != nil || l.Sum != checksum(l.Data) {
		return false
	}
	return json.Unmarshal(l.Data, record) == nil
}
