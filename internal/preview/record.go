package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// Records reads the records in a state directory, by pull request.
var Records = machine.Op[string, []Record]{Name: "preview.records", Do: func(_ context.Context, _ machine.At, dir string) ([]Record, error) {
	return records(dir)
}}

// lease gives a preview a port, for its life: a preview that has one keeps it.
var lease = machine.Op[leasing, Record]{Name: "preview.lease", Do: func(_ context.Context, _ machine.At, l leasing) (Record, error) {
	record, err := l.do()
	if err != nil {
		return Record{}, fmt.Errorf("port of %s: %w", l.Record.Name, err)
	}
	return record, nil
}}

// note writes a record, durably.
var note = machine.Op[noting, machine.None]{Name: "preview.note", Do: func(_ context.Context, _ machine.At, n noting) (machine.None, error) {
	return machine.None{}, n.write()
}}

// forget removes a record, and so frees the port.
var forget = machine.Op[noting, machine.None]{Name: "preview.forget", Do: func(_ context.Context, _ machine.At, n noting) (machine.None, error) {
	return machine.None{}, machine.RemoveFile(n.path())
}}

// quiet waits until nobody listens on a port, at most so long. It returns whether
// it is so.
var quiet = machine.Op[silence, bool]{Name: "preview.quiet", Do: func(ctx context.Context, _ machine.At, s silence) (bool, error) {
	return s.await(ctx)
}}

// leasing asks for a port.
type leasing struct {
	Dir    string        `json:"dir"`
	Record Record        `json:"record"` // of a preview that has none yet, but for the port
	Ports  [2]value.Port `json:"ports"`
	Max    int           `json:"max"`
}

// noting is a record and the state directory it belongs to.
type noting struct {
	Dir    string `json:"dir"`
	Record Record `json:"record"`
}

type silence struct {
	Port  value.Port    `json:"port"`
	Limit time.Duration `json:"limit_ns"`
}

const suffix = ".json"

func recordsDir(dir string) string { return filepath.Join(dir, "records") }

func (n noting) path() string { return filepath.Join(recordsDir(n.Dir), string(n.Record.Name)+suffix) }

func (n noting) write() error {
	if _, err := value.ParseName(string(n.Record.Name)); err != nil {
		return err
	}
	if err := os.MkdirAll(recordsDir(n.Dir), 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(n.Record)
	if err != nil {
		panic("preview: a record is plain data: " + err.Error())
	}
	return machine.WriteFile(n.path(), append(text, '\n'), 0o600)
}

// records are those in dir. One that can't be read is an error: its port would
// be leased twice.
func records(dir string) ([]Record, error) {
	entries, err := os.ReadDir(recordsDir(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Record
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), suffix) || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		path := filepath.Join(recordsDir(dir), entry.Name())
		var record Record
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &record)
		}
		if err == nil && string(record.Name)+suffix != entry.Name() {
			err = fmt.Errorf("is the record of %q", record.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("record %s: %w; remove it once nothing of its preview is left", path, err)
		}
		all = append(all, record)
	}
	slices.SortFunc(all, func(a, b Record) int { return a.Number - b.Number })
	return all, nil
}

func (l leasing) do() (Record, error) {
	all, err := records(l.Dir)
	if err != nil {
		return Record{}, err
	}
	leased := make(map[value.Port]bool)
	for _, record := range all {
		if record.Name == l.Record.Name {
			return record, nil
		}
		leased[record.Port] = true
	}
	if len(all) >= l.Max {
		return Record{}, fmt.Errorf("there are %d previews and max is %d: close a pull request, run \"turnout preview sync\", or raise max", len(all), l.Max)
	}
	for port := l.Ports[0]; port <= l.Ports[1]; port++ {
		if leased[port] || !free(port) {
			continue
		}
		l.Record.Port = port
		return l.Record, noting{l.Dir, l.Record}.write()
	}
	return Record{}, fmt.Errorf("none of %d-%d is free: %d are leased and somebody listens on the others", l.Ports[0], l.Ports[1], len(leased))
}

// free reports whether nobody listens on the port, on any address.
func free(port value.Port) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	return err == nil && listener.Close() == nil
}

func (s silence) await(ctx context.Context) (bool, error) {
	limit := time.NewTimer(s.Limit)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if free(s.Port) {
			return true, nil
		}
		select {
		case <-tick.C:
		case <-limit.C:
			return free(s.Port), nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}
