package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/value"
)

// HAProxy logs the requests of a canary to a ring buffer as well, in its standard
// HTTP format (HAProxy configuration manual, 8.2.3), and "show events" prints what
// is in it. Readings meet at a line: what follows the last one of the reading
// before is new. It is remembered by its hash, for it has an address and a URL
// in it.

// nothingYet is where a reading ended that found the ring empty.
const nothingYet = "start"

// countEvents counts what the ring has got since that line.
func countEvents(ctx context.Context, s Site, since string) (Counted, error) {
	answer, err := command(ctx, s.Socket, "show events turnout_"+string(s.Env))
	if err != nil {
		return Counted{}, err
	}
	counted := Counted{Slots: s.slots(), Upto: nothingYet}
	met := since == "" || since == nothingYet
	for line := range strings.Lines(answer) {
		counted.Upto = fingerprint(line)
		if counted.Upto == since {
			met, counted.Slots, counted.Synthetic = true, s.slots(), nil
			continue
		}
		if r, ok := s.parseEvent(line); ok && since != "" {
			counted.add(r)
		}
	}
	counted.Missed = !met
	return counted, nil
}

func fingerprint(line string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(line)))
	return hex.EncodeToString(sum[:8])
}

// parseEvent reads
//
//	127.0.0.1:36012 [25/Nov/2026:16:55:00.123] shop shop_green/s1 0/0/0/1/1 200 123 - - ---- 1/1/0/0/0 0/0 {1|green} "GET / HTTP/1.1"
//
// with the captured headers, and is false for a line that does not count.
func (s Site) parseEvent(line string) (served, bool) {
	fields := strings.Fields(line)
	if len(fields) < 13 {
		return served{}, false
	}
	backend, _, _ := strings.Cut(fields[3], "/")
	name, ours := strings.CutPrefix(backend, string(s.Env)+"_")
	slot, known := slotName(name)
	status, err := strconv.Atoi(fields[5])
	timers := strings.Split(fields[4], "/") // TR/Tw/Tc/Tr/Ta in ms
	if !ours || !known || err != nil || len(timers) != 5 {
		return served{}, false
	}
	mark, preview, _ := strings.Cut(strings.Trim(fields[12], "{}"), "|")
	if s.chosen(preview) {
		return served{}, false
	}
	latency := time.Duration(-1)
	if ms, err := strconv.Atoi(timers[3]); err == nil && ms >= 0 {
		latency = time.Duration(ms) * time.Millisecond
	}
	broken := strings.HasPrefix(strings.ToUpper(fields[9]), "S") // the server ended it
	return served{slot: slot, synthetic: mark == "1", failed: status >= 500 || broken, latency: latency}, true
}

// chosen reports whether the captured preview header names a slot.
func (s Site) chosen(captured string) bool {
	name, ok := slotName(captured)
	_, slot := s.pool(name)
	return ok && slot
}

func slotName(text string) (value.Name, bool) {
	name, err := value.ParseName(text)
	return name, err == nil
}
