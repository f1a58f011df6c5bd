package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/value"
)

// AWSELB is an Application Load Balancer of AWS. It is no program on a machine:
// every operation is calls of its API. The forward action of a listener or rule is
// configuration and selector at once, its tags are the header, and what the API
// answers is what runs.
const AWSELB Kind = "aws_elb"

// The tags, by their names without elb.TagPrefix.
const (
	tagEnvironment   = "environment"
	tagGeneration    = "generation"
	tagConfiguration = "configuration" // Header.ID
	tagEpoch         = "epoch"         // number and run, see Claim
	tagGrowing       = "growing"       // slot that gets a share, while traffic is split
	tagRelease       = "release:"      // and a slot
)

// clientStays is for how long a client keeps its group in a canary by cookie.
const clientStays = 24 * time.Hour

// balanced is a site behind a load balancer, and the calls that reach it.
type balanced struct {
	Site
	elb.API
}

// balance finds the load balancer of a site. The client is kept in the session, so
// that credentials are looked for once.
func (s Site) balance(ctx context.Context, at machine.At) (balanced, error) {
	if err := s.validate(); err != nil {
		return balanced{}, err
	}
	key, err := json.Marshal(s.Balancer)
	if err != nil {
		panic("proxy: a balancer is plain data: " + err.Error())
	}
	if api, ok := at.Session.Kept("elb:" + string(key)).(elb.API); ok {
		return balanced{s, api}, nil
	}
	connect := Connector(at.Session)
	if connect == nil {
		return balanced{}, errors.New("turnout-agent calls no AWS: where the spec says agent = \"…\", name a turnout")
	}
	api, err := connect(ctx, *s.Balancer)
	if err != nil {
		return balanced{}, err
	}
	return balanced{s, api}, at.Session.Keep("elb:"+string(key), api)
}

// Balancing lets the operations of a session call AWS. Where connect is nil, they
// can't.
func Balancing(s *machine.Session, connect elb.Connect) {
	_ = s.Keep(balancing, connector{connect}) // a former connector has nothing to close
}

// Connector is what Balancing has given a session; nil: nothing.
func Connector(s *machine.Session) elb.Connect {
	kept, _ := s.Kept(balancing).(connector)
	return kept.connect
}

const balancing = "elb"

// connector is what a session keeps of an elb.Connect.
type connector struct{ connect elb.Connect }

// Close does nothing.
func (connector) Close() error { return nil }

// balanceNow finds the load balancer of a site and reads its state.
func (s Site) balanceNow(ctx context.Context, at machine.At) (balanced, elb.State, error) {
	b, err := s.balance(ctx, at)
	if err != nil {
		return balanced{}, elb.State{}, err
	}
	state, err := b.State(ctx)
	return b, state, err
}

// Standing is the epoch that stands at a load balancer; the zero one where none
// was begun. Of a proxy on a machine, the state directory tells it.
var Standing = machine.Op[Site, protocol.Epoch]{Name: "proxy.standing", Do: func(ctx context.Context, at machine.At, s Site) (protocol.Epoch, error) {
	b, err := s.balance(ctx, at)
	if err != nil {
		return protocol.Epoch{}, err
	}
	tags, err := b.Tags(ctx)
	return standing(tags), err
}}

// Claim begins the site's epoch at a load balancer: whoever has an earlier one is
// refused from then on. The locks of the environment's machines must be held.
//
// The fence has a gap: between the look at the epoch and the call that follows it
// lies the time of one call, and AWS knows no call on a condition.
var Claim = machine.Op[Site, machine.None]{Name: "proxy.claim", Do: func(ctx context.Context, at machine.At, s Site) (machine.None, error) {
	b, err := s.balance(ctx, at)
	if err != nil {
		return machine.None{}, err
	}
	return machine.None{}, b.Mark(ctx, map[string]string{tagEpoch: fmt.Sprintf("%d %s", s.Epoch.Number, s.Epoch.Run)})
}}

func standing(tags map[string]string) protocol.Epoch {
	number, run, _ := strings.Cut(tags[tagEpoch], " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return protocol.Epoch{}
	}
	return protocol.Epoch{Number: n, Run: run}
}

// admit is nil while the site's epoch stands at the load balancer.
func (b balanced) admit(tags map[string]string) error {
	if there := standing(tags); !protocol.Admits(there, b.Epoch) {
		return fmt.Errorf("%s is not this run's any more (epoch %d): run %s has had it since, in epoch %d; nothing was changed", b.Place(), b.Epoch.Number, there.Run, there.Number)
	}
	return nil
}

// live is what a state comes to.
func (b balanced) live(state elb.State) (Live, error) {
	now := b.trafficOf(state)
	body := b.body(state)
	live := Live{Body: body, Door: &Door{
		Address: value.Address(net.JoinHostPort(state.Entrance.Host, strconv.Itoa(int(state.Entrance.Port)))),
		Login:   state.Entrance.Login,
	}}
	if state.Entrance.TLS {
		live.Door.TLS = ask.Verified
	}
	switch owner := state.Tags[tagEnvironment]; owner {
	case string(b.Env):
		live.Exists, live.Header = true, b.header(state)
	case "":
		if len(state.Groups[now.slot].Targets) == 0 {
			live.Trouble = "no target is registered"
			return live, nil
		}
	default:
		return Live{}, fmt.Errorf("%s belongs to the environment %q (tag %s%s): give this one a rule of its own", b.Place(), owner, elb.TagPrefix, tagEnvironment)
	}
	live.Active, live.Share = now.slot, now.share
	live.Running = &Answer{ID: bodyID(body), Slot: now.slot, Share: now.share}
	return live, nil
}

// trafficOf is where the weights send requests. Of a split they do not say which
// slot the share is of: a tag does, else it is the one that gets less.
func (b balanced) trafficOf(state elb.State) traffic {
	first, second := b.Pools[0].Slot, b.Pools[1].Slot
	low, high := state.Split.Weights[first], state.Split.Weights[second]
	switch {
	case high == 0:
		return all(first)
	case low == 0:
		return all(second)
	}
	growing, percent := second, (hundred*high+(low+high)/2)/(low+high)
	if tag := state.Tags[tagGrowing]; tag == string(first) || tag != string(second) && low < high {
		growing, percent = first, hundred-percent
	}
	return b.traffic(growing, min(max(percent, 1), hundred-1))
}

// header is what the tags tell, and the groups of who is in them.
func (b balanced) header(state elb.State) *Header {
	generation, _ := strconv.Atoi(state.Tags[tagGeneration]) // 0: somebody wrote into it
	h := &Header{Schema: Schema, Env: b.Env, Generation: generation, ID: state.Tags[tagConfiguration], Releases: make(map[value.Name]string), Canary: &Canary{Sticky: StickyNone}}
	for _, pool := range b.Pools {
		if release := state.Tags[tagRelease+string(pool.Slot)]; release != "" {
			h.Releases[pool.Slot] = release
		}
		known := Pool{Slot: pool.Slot}
		for _, t := range registered(state.Groups[pool.Slot]) {
			if address, err := value.TCP(b.hostOf(t.ID), t.Port); err == nil {
				known.Addresses = append(known.Addresses, address)
			}
		}
		h.Pools = append(h.Pools, known)
	}
	return h
}

// hostOf is the address of a target; an instance that is no server's has none.
func (b balanced) hostOf(id string) string {
	for host, instance := range b.Site.Balancer.Instances {
		if instance == id {
			return host
		}
	}
	return id
}

func registered(g elb.Group) []elb.Target {
	return slices.DeleteFunc(slices.Clone(g.Targets), func(t elb.Target) bool { return !t.Registered() })
}

// body is a state as Render words what it is to be.
func (b balanced) body(state elb.State) string {
	var text strings.Builder
	for _, pool := range b.Pools {
		_, in := state.Split.Weights[pool.Slot]
		b.writeGroup(&text, pool.Slot, in, registered(state.Groups[pool.Slot]))
	}
	if split := b.trafficOf(state).share > 0; state.Split.Sticky > 0 && !split {
		fmt.Fprintf(&text, "stickiness %s\n", state.Split.Sticky)
	}
	return text.String()
}

func (s Site) writeGroup(text *strings.Builder, slot value.Name, in bool, targets []elb.Target) {
	fmt.Fprintf(text, "%s = target group %s\n", slot, s.Balancer.Groups[slot].Named())
	if !in {
		text.WriteString("  nothing is forwarded to it\n")
	}
	var names []string
	for _, t := range targets {
		names = append(names, t.String())
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(text, "  %s\n", name)
	}
}

// renderBalanced words what both groups are to hold.
func renderBalanced(s Site) (Rendered, error) {
	var text strings.Builder
	for _, pool := range s.Pools {
		targets, err := s.Balancer.Targets(elb.Group{Instances: s.Balancer.Instances != nil}, pool.Addresses)
		if err != nil {
			return Rendered{}, err
		}
		s.writeGroup(&text, pool.Slot, true, targets)
	}
	return Rendered{ID: bodyID(text.String()), Body: text.String()}, nil
}

// bodyID is the identity of a configuration that is nothing but its body.
func bodyID(body string) string { return Sum(body)[:12] }

func (s Site) validateBalanced() error {
	if s.Balancer == nil || s.Kind != AWSELB {
		return errors.New("kind: aws_elb, and only that, has a load balancer")
	}
	for _, pool := range s.Pools {
		if s.Balancer.Groups[pool.Slot] == "" {
			return fmt.Errorf("slot %s has no target group", pool.Slot)
		}
	}
	if s.Canary != nil && s.Canary.Sticky == StickyClientIP {
		return fmt.Errorf("sticky: a load balancer of AWS does not part clients by their addresses: %s or %s", StickyCookie, StickyNone)
	}
	return s.Balancer.Validate()
}
