package proxy

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/canary"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/value"
)

// Counters counts the requests to both slots since the reading before. They are
// taken from what the proxy logs request by request, nginx into a file and HAProxy
// into a ring in its memory: so they are whole numbers of requests that ended
// after the reading before, and no counter starts anew with a worker generation.
// nginx logs for it only while the traffic is split.
//
// An error is a status of 500 and more, also one of the proxy itself because no
// server took the request, and for HAProxy a server that broke off its answer.
// Requests whose client chose the slot by the preview header do not count, nor do
// those to the proof path. Those with the header X-Turnout-Synthetic count apart.
//
// The first reading, without a Since, counts nothing.
var Counters = machine.Op[Tally, Counted]{Name: "proxy.counters", Do: countRequests}

// Tally asks for the requests since a reading.
type Tally struct {
	Site  Site   `json:"site"`
	Since string `json:"since,omitempty"` // Counted.Upto of that reading
}

// Counted is what was read.
type Counted struct {
	Slots     map[value.Name]canary.Counts `json:"slots"`               // of clients
	Synthetic map[value.Name]canary.Counts `json:"synthetic,omitempty"` // beside them; none: no such request
	Upto      string                       `json:"upto"`                // to go on from

	// Missed says that requests since the reading before can't be told any more: a
	// HAProxy that was reloaded or busier than its ring is long, or an nginx log
	// that somebody removed or emptied. Those that are there count.
	Missed bool `json:"missed,omitempty"`

	// Down are the servers that take no requests, by slot, with the reason.
	Down map[value.Name][]string `json:"down,omitempty"`
}

func countRequests(ctx context.Context, _ machine.At, t Tally) (Counted, error) {
	counted, err := t.count(ctx)
	if err != nil {
		return Counted{}, fmt.Errorf("counters: %w", err)
	}
	return counted, nil
}

func (t Tally) count(ctx context.Context) (Counted, error) {
	s := t.Site
	if err := s.validate(); err != nil {
		return Counted{}, err
	}
	if s.Balancer != nil {
		return Counted{}, errUncounted
	}
	if s.Canary == nil {
		return Counted{}, fmt.Errorf("%s was not written for a canary: it counts no requests", s.Config)
	}
	counted, err := s.dialect().count(ctx, s, t.Since)
	if err != nil {
		return Counted{}, err
	}
	counted.Down = make(map[value.Name][]string)
	for _, pool := range s.Pools {
		down, err := s.dialect().down(ctx, s, pool)
		if err != nil {
			return Counted{}, err
		}
		if len(down) > 0 {
			counted.Down[pool.Slot] = down
		}
	}
	return counted, nil
}

// served is one request as a log tells it.
type served struct {
	slot      value.Name
	synthetic bool
	failed    bool
	latency   time.Duration // to the header of the answer; negative: there was none
}

// slots is an empty count for each slot.
func (s Site) slots() map[value.Name]canary.Counts {
	counts := make(map[value.Name]canary.Counts)
	for _, pool := range s.Pools {
		counts[pool.Slot] = canary.Counts{}
	}
	return counts
}

// add counts a request; one to an unknown slot is left out.
func (c *Counted) add(r served) {
	if _, ours := c.Slots[r.slot]; !ours {
		return
	}
	all := c.Slots
	if r.synthetic {
		if c.Synthetic == nil {
			c.Synthetic = make(map[value.Name]canary.Counts)
		}
		all = c.Synthetic
	}
	counts := all[r.slot]
	counts.Requests++
	if r.failed {
		counts.Errors++
	}
	if r.latency >= 0 {
		counts.Latency.Add(r.latency)
	}
	all[r.slot] = counts
}

// refusing are the servers of a pool that accept no connection.
func refusing(ctx context.Context, _ Site, pool Pool) ([]string, error) {
	var down []string
	for _, address := range pool.Addresses {
		network, target := address.Network()
		dialer := net.Dialer{Timeout: askTime}
		conn, err := dialer.DialContext(ctx, network, target)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			down = append(down, err.Error())
			continue
		}
		_ = conn.Close() // it was accepted
	}
	return down, nil
}

// marked are the servers of a pool that HAProxy's checks have found down.
func marked(ctx context.Context, s Site, pool Pool) ([]string, error) {
	rows, err := stats(ctx, s, pool.Slot)
	if err != nil {
		return nil, err
	}
	var down []string
	for name, row := range rows {
		if name != "BACKEND" && strings.HasPrefix(row["status"], "DOWN") {
			down = append(down, strings.TrimSpace(fmt.Sprintf("%s (%s): %s %s", name, row["addr"], row["check_status"], row["last_chk"])))
		}
	}
	return down, nil
}
