package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/value"
)

// group reads the target group of a slot and its targets.
func (c *Client) group(ctx context.Context, slot value.Name) (elb.Group, error) {
	arn := c.Groups[slot]
	found, err := c.api.DescribeTargetGroups(ctx, &api.DescribeTargetGroupsInput{TargetGroupArns: []string{string(arn)}})
	if err != nil {
		return elb.Group{}, explain("DescribeTargetGroups", arn, err)
	}
	if len(found.TargetGroups) != 1 {
		return elb.Group{}, fmt.Errorf("DescribeTargetGroups: %d target groups are %s", len(found.TargetGroups), arn)
	}
	tg := found.TargetGroups[0]
	if tg.TargetType != types.TargetTypeEnumInstance && tg.TargetType != types.TargetTypeEnumIp {
		return elb.Group{}, fmt.Errorf("target group %s: its targets are of type %q, and servers are of type \"instance\" or \"ip\"", arn.Named(), tg.TargetType)
	}
	g := elb.Group{Name: arn.Named(), Instances: tg.TargetType == types.TargetTypeEnumInstance, Patience: patience(tg)}
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
func (c *Client) targets(ctx context.Context, slot value.Name) ([]elb.Target, error) {
	arn := c.Groups[slot]
	found, err := c.api.DescribeTargetHealth(ctx, &api.DescribeTargetHealthInput{TargetGroupArn: aws.String(string(arn))})
	if err != nil {
		return nil, explain("DescribeTargetHealth", arn, err)
	}
	var all []elb.Target
	for _, d := range found.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth == nil {
			continue
		}
		t := elb.Target{ID: aws.ToString(d.Target.Id), Port: value.Port(aws.ToInt32(d.Target.Port)), State: string(d.TargetHealth.State)}
		t.Reason = strings.Trim(string(d.TargetHealth.Reason)+": "+aws.ToString(d.TargetHealth.Description), ": ")
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b elb.Target) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

// Register adds targets to a slot's group; those that are in it already stay as
// they are.
func (c *Client) Register(ctx context.Context, slot value.Name, targets []elb.Target) error {
	if len(targets) == 0 {
		return nil
	}
	_, err := c.api.RegisterTargets(ctx, &api.RegisterTargetsInput{TargetGroupArn: aws.String(string(c.Groups[slot])), Targets: described(targets)})
	return explain("RegisterTargets", c.Groups[slot], err)
}

// Deregister takes targets out of a slot's group. AWS lets requests under way end.
func (c *Client) Deregister(ctx context.Context, slot value.Name, targets []elb.Target) error {
	if len(targets) == 0 {
		return nil
	}
	_, err := c.api.DeregisterTargets(ctx, &api.DeregisterTargetsInput{TargetGroupArn: aws.String(string(c.Groups[slot])), Targets: described(targets)})
	return explain("DeregisterTargets", c.Groups[slot], err)
}

func described(targets []elb.Target) []types.TargetDescription {
	var all []types.TargetDescription
	for _, t := range targets {
		all = append(all, types.TargetDescription{Id: aws.String(t.ID), Port: aws.Int32(int32(t.Port))})
	}
	return all
}

// firstPoll and slowestPoll are between two looks at the health of targets.
const (
	firstPoll   = 100 * time.Millisecond
	slowestPoll = 2 * time.Second
)

// AwaitHealthy waits until all of these targets of a slot are healthy, or any of
// them where anyOf is set. The error says how each of them is.
func (c *Client) AwaitHealthy(ctx context.Context, slot value.Name, targets []elb.Target, anyOf bool) error {
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
func unhealthy(wanted, now []elb.Target) []string {
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
