package elb

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/org/deploy-action/internal/value"
)

// Group is the target group of a slot.
type Group struct {
	Name      string
	Instances bool          // its targets are instances; else addresses
	Patience  time.Duration // after which a target that answers well is healthy
	Targets   []Target      // registered, by ID and port
}

// Target is a server and port in a group.
type Target struct {
	ID     string // an instance or an IP address
	Port   value.Port
	State  string // as AWS words it: "healthy", "initial", "unhealthy", "draining", "unused"
	Reason string // why it is not healthy
}

// String is the target as an address.
func (t Target) String() string {
	if strings.Contains(t.ID, ":") {
		return "[" + t.ID + "]:" + strconv.Itoa(int(t.Port))
	}
	return t.ID + ":" + strconv.Itoa(int(t.Port))
}

// Registered reports whether the target gets requests, or would if it were healthy.
func (t Target) Registered() bool { return t.State != string(types.TargetHealthStateEnumDraining) }

// group reads the target group of a slot and its targets.
func (c *Client) group(ctx context.Context, slot value.Name) (Group, error) {
	arn := c.Groups[slot]
	found, err := c.api.DescribeTargetGroups(ctx, &api.DescribeTargetGroupsInput{TargetGroupArns: []string{string(arn)}})
	if err != nil {
		return Group{}, explain("DescribeTargetGroups", arn, err)
	}
	if len(found.TargetGroups) != 1 {
		return Group{}, fmt.Errorf("DescribeTargetGroups: %d target groups are %s", len(found.TargetGroups), arn)
	}
	tg := found.TargetGroups[0]
	if tg.TargetType != types.TargetTypeEnumInstance && tg.TargetType != types.TargetTypeEnumIp {
		return Group{}, fmt.Errorf("target group %s: its targets are of type %q, and servers are of type \"instance\" or \"ip\"", arn.Named(), tg.TargetType)
	}
	g := Group{Name: arn.Named(), Instances: tg.TargetType == types.TargetTypeEnumInstance, Patience: patience(tg)}
	g.Targets, err = c.targets(ctx, slot)
	return g, err
}

// patience is how long AWS may take to call a target healthy: that many checks in
// a row, and some seconds to take up the registration.
func patience(tg types.TargetGroup) time.Duration {
	const slack = 15 * time.Second
	checks := aws.ToInt32(tg.HealthyThresholdCount) + 1
	return time.Duration(checks*aws.ToInt32(tg.HealthCheckIntervalSeconds)+aws.ToInt32(tg.HealthCheckTimeoutSeconds))*time.Second + slack
}

// targets reads the targets of a slot and how they are.
func (c *Client) targets(ctx context.Context, slot value.Name) ([]Target, error) {
	arn := c.Groups[slot]
	found, err := c.api.DescribeTargetHealth(ctx, &api.DescribeTargetHealthInput{TargetGroupArn: aws.String(string(arn))})
	if err != nil {
		return nil, explain("DescribeTargetHealth", arn, err)
	}
	var all []Target
	for _, d := range found.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth == nil {
			continue
		}
		t := Target{ID: aws.ToString(d.Target.Id), Port: value.Port(aws.ToInt32(d.Target.Port)), State: string(d.TargetHealth.State)}
		t.Reason = strings.Trim(string(d.TargetHealth.Reason)+": "+aws.ToString(d.TargetHealth.Description), ": ")
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Target) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

// Targets are what a group has to hold for those addresses.
func (c *Client) Targets(g Group, addresses []value.Address) ([]Target, error) {
	var all []Target
	for _, address := range addresses {
		ap, err := netip.ParseAddrPort(string(address))
		if err != nil {
			return nil, fmt.Errorf("%s: a load balancer of AWS connects to addresses and ports only", address)
		}
		t := Target{ID: ap.Addr().String(), Port: value.Port(ap.Port())}
		if g.Instances {
			if t.ID = c.Instances[t.ID]; t.ID == "" {
				return nil, fmt.Errorf("target group %s takes instances, and the spec does not say which one %s is: give the proxy block instances = { server = \"i-…\" }", g.Name, ap.Addr())
			}
		}
		all = append(all, t)
	}
	return all, nil
}

// Register adds targets to a slot's group; those that are in it already stay as
// they are.
func (c *Client) Register(ctx context.Context, slot value.Name, targets []Target) error {
	if len(targets) == 0 {
		return nil
	}
	_, err := c.api.RegisterTargets(ctx, &api.RegisterTargetsInput{TargetGroupArn: aws.String(string(c.Groups[slot])), Targets: described(targets)})
	return explain("RegisterTargets", c.Groups[slot], err)
}

// Deregister takes targets out of a slot's group. AWS lets requests under way end.
func (c *Client) Deregister(ctx context.Context, slot value.Name, targets []Target) error {
	if len(targets) == 0 {
		return nil
	}
	_, err := c.api.DeregisterTargets(ctx, &api.DeregisterTargetsInput{TargetGroupArn: aws.String(string(c.Groups[slot])), Targets: described(targets)})
	return explain("DeregisterTargets", c.Groups[slot], err)
}

func described(targets []Target) []types.TargetDescription {
	var all []types.TargetDescription
	for _, t := range targets {
		all = append(all, types.TargetDescription{Id: aws.String(t.ID), Port: aws.Int32(int32(t.Port))})
	}
	return all
}

// Missing are those of wanted that are not among have.
func Missing(wanted, have []Target) []Target {
	return slices.DeleteFunc(slices.Clone(wanted), func(w Target) bool {
		return slices.ContainsFunc(have, func(h Target) bool { return h.ID == w.ID && h.Port == w.Port })
	})
}

// firstPoll and slowestPoll are between two looks at the health of targets.
const (
	firstPoll   = 100 * time.Millisecond
	slowestPoll = 2 * time.Second
)

// AwaitHealthy waits until all of these targets of a slot are healthy, or any of
// them where anyOf is set. The error says how each of them is.
func (c *Client) AwaitHealthy(ctx context.Context, slot value.Name, targets []Target, anyOf bool) error {
	for wait := firstPoll; ; wait = min(2*wait, slowestPoll) {
		now, err := c.targets(ctx, slot)
		if err != nil {
			return err
		}
		ill := unhealthy(targets, now)
		if len(ill) == 0 || anyOf && len(ill) < len(targets) {
			return nil
		}
		if pause(ctx, wait) != nil {
			return fmt.Errorf("the load balancer does not find %s healthy: %s", c.Groups[slot].Named(), strings.Join(ill, "; "))
		}
	}
}

// unhealthy says of those targets that are not healthy what they are.
func unhealthy(wanted, now []Target) []string {
	var all []string
	for _, w := range wanted {
		w.State, w.Reason = "not registered", ""
		for _, t := range now {
			if t.ID == w.ID && t.Port == w.Port {
				w = t
			}
		}
		if w.State != string(types.TargetHealthStateEnumHealthy) {
			all = append(all, strings.TrimSuffix(w.String()+" is "+w.State+", "+w.Reason, ", "))
		}
	}
	return all
}
