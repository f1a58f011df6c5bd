// Package register is what is known of previews on their server, each in a file, and who
// has which port. It is what an agent does for them.
package register

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

// State is how far a preview has come.
type State string

const (
	Coming State = "coming" // a release of it is being brought up
	Up     State = "up"
	Going  State = "going" // it is being removed
)

// Record is what is known of a preview on its server.
type Record struct {
	Name       value.Name     `json:"name"`
	Repository string         `json:"repository,omitempty"` // of the pull request; empty: of a run that did not know it
	Number     int            `json:"pull_request"`
	Port       value.Port     `json:"port"`
	Root       value.Path     `json:"root,omitempty"` // empty: nothing but the port was leased yet
	Hostname   value.Hostname `json:"hostname,omitempty"`
	State      State          `json:"state"`
	Release    string         `json:"release,omitempty"` // the last one that was healthy
	Commit     string         `json:"commit,omitempty"`
	Created    time.Time      `json:"created"`
	Updated    time.Time      `json:"updated"` // by the last run that brought a release
}

// Expired reports whether nothing has come to a preview for longer than ttl.
func (r Record) Expired(ttl time.Duration, now time.Time) bool { return now.Sub(r.Updated) > ttl }

// All reads the records in a state directory, by pull request.
var All = machine.Op[string, []Record]{Name: "preview.records", Do: func(_ context.Context, _ machine.At, dir string) ([]Record, error) {
	return records(dir)
}}

// Lease gives a preview a port, for its life: a preview that has one keeps it.
var Lease = machine.Op[Leasing, Record]{Name: "preview.lease", Do: func(_ context.Context, _ machine.At, l Leasing) (Record, error) {
	record, err := l.do()
	if err != nil {
		return Record{}, fmt.Errorf("port of %s: %w", l.Record.Name, err)
	}
	return record, nil
}}

// Note writes a record, durably.
var Note = machine.Op[Noting, machine.None]{Name: "preview.note", Do: func(_ context.Context, _ machine.At, n Noting) (machine.None, error) {
	return machine.None{}, n.write()
}}

// Forget removes a record, and so frees the port.
var Forget = machine.Op[Noting, machine.None]{Name: "preview.forget", Do: func(_ context.Context, _ machine.At, n Noting) (machine.None, error) {
	return machine.None{}, machine.RemoveFile(n.path())
}}

// Quiet waits until nobody listens on a port, at most so long. It returns whether
// it is so.
var Quiet = machine.Op[Silence, bool]{Name: "preview.quiet", Do: func(ctx context.Context, _ machine.At, s Silence) (bool, error) {
	return s.await(ctx)
}}

// Leasing asks for a port.
type Leasing struct {
	Dir    string        `json:"dir"`
	Record Record        `json:"record"` // of a preview that has none yet, but for the port
	Ports  [2]value.Port `json:"ports"`
	Max    int           `json:"max"`
}

// Noting is a record and the state directory it belongs to.
type Noting struct {
	Dir    string `json:"dir"`
	Record Record `json:"record"`
}

// Silence is to be waited for at a port, up to the limit.
type Silence struct {
	Port  value.Port    `json:"port"`
	Limit time.Duration `json:"limit_ns"`
}

const suffix = ".json"

func recordsDir(dir string) string { return filepath.Join(dir, "records") }

func (n Noting) path() string { return filepath.Join(recordsDir(n.Dir), string(n.Record.Name)+suffix) }

func (n Noting) write() error {
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

func (l Leasing) do() (Record, error) {
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
		return l.Record, Noting{l.Dir, l.Record}.write()
	}
	return Record{}, fmt.Errorf("none of %d-%d is free: %d are leased and somebody listens on the others", l.Ports[0], l.Ports[1], len(leased))
}

// free reports whether nobody listens on the port, on any address.
func free(port value.Port) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	return err == nil && listener.Close() == nil
}

func (s Silence) await(ctx context.Context) (bool, error) {
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
