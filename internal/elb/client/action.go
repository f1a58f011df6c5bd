package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/value"
)

// settleTime bounds the wait until the API tells what it was told; settlePoll is
// how often it is asked.
const (
	settleTime = 4 * time.Second
	settlePoll = 100 * time.Millisecond
)

// Split reads how requests are parted now.
func (c *Client) Split(ctx context.Context) (elb.Split, error) {
	actions, err := c.actions(ctx)
	if err != nil {
		return elb.Split{}, err
	}
	return c.split(actions)
}

// Route replaces the forward action by one that parts requests so, and leaves
// everything else of the listener or rule alone. It returns once the API answers
// with the new action, or with an error: then either may be in force.
func (c *Client) Route(ctx context.Context, s elb.Split) error {
	actions, err := c.actions(ctx)
	if err != nil {
		return err
	}
	if _, err := c.split(actions); err != nil {
		return err
	}
	if err := c.modify(ctx, c.replaced(actions, s)); err != nil {
		return err
	}
	return c.awaitSplit(ctx, s)
}

// awaitSplit waits until the API tells the split: its answers may be a little old.
func (c *Client) awaitSplit(ctx context.Context, want elb.Split) error {
	ctx, stop := context.WithTimeout(ctx, settleTime)
	defer stop()
	for {
		now, err := c.Split(ctx)
		if err == nil && now.Equal(want) {
			return nil
		}
		if pause(ctx, settlePoll) != nil {
			return errors.Join(fmt.Errorf("%s was told, and does not say so after %s", c.Resource.Resource(), settleTime), err)
		}
	}
}

// pause lets some time pass, unless the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// actions are those of the rule, or the default ones of the listener.
func (c *Client) actions(ctx context.Context) ([]types.Action, error) {
	if !c.Resource.IsRule() {
		listener, err := c.listener(ctx)
		return listener.DefaultActions, err
	}
	found, err := c.api.DescribeRules(ctx, &api.DescribeRulesInput{RuleArns: []string{string(c.Resource)}})
	if err != nil {
		return nil, explain("DescribeRules", c.Resource, err)
	}
	if len(found.Rules) != 1 {
		return nil, fmt.Errorf("DescribeRules: %d rules are %s", len(found.Rules), c.Resource)
	}
	return found.Rules[0].Actions, nil
}

func (c *Client) listener(ctx context.Context) (types.Listener, error) {
	arn := c.Resource.Listener()
	found, err := c.api.DescribeListeners(ctx, &api.DescribeListenersInput{ListenerArns: []string{string(arn)}})
	if err != nil {
		return types.Listener{}, explain("DescribeListeners", arn, err)
	}
	if len(found.Listeners) != 1 {
		return types.Listener{}, fmt.Errorf("DescribeListeners: %d listeners are %s", len(found.Listeners), arn)
	}
	return found.Listeners[0], nil
}

// kept are the types of actions that can be written back as they were read. What
// this version of AWS's library does not know would be lost.
var kept = []types.ActionTypeEnum{
	types.ActionTypeEnumForward, types.ActionTypeEnumAuthenticateOidc, types.ActionTypeEnumAuthenticateCognito, types.ActionTypeEnumJwtValidation,
}

// split reads the forward action.
func (c *Client) split(actions []types.Action) (elb.Split, error) {
	for _, action := range actions {
		if !slices.Contains(kept, action.Type) {
			return elb.Split{}, fmt.Errorf("%s has the action %q; turnout moves requests of a forward action, alone or behind one that authenticates: let it forward to %s first",
				c.Resource.Resource(), action.Type, c.anyGroup())
		}
	}
	i := forward(actions)
	if i < 0 {
		return elb.Split{}, fmt.Errorf("%s has no forward action: let it forward to %s first", c.Resource.Resource(), c.anyGroup())
	}
	s := elb.Split{Weights: make(map[value.Name]int)}
	for arn, weight := range weights(actions[i]) {
		slot := c.slotOf(arn)
		if slot == "" {
			return elb.Split{}, fmt.Errorf("%s forwards to %s, which is the target group of no slot: let it forward to %s, or give a slot that group", c.Resource.Resource(), arn, c.anyGroup())
		}
		s.Weights[slot] = weight
	}
	if f := actions[i].ForwardConfig; f != nil && f.TargetGroupStickinessConfig != nil && aws.ToBool(f.TargetGroupStickinessConfig.Enabled) {
		s.Sticky = time.Duration(aws.ToInt32(f.TargetGroupStickinessConfig.DurationSeconds)) * time.Second
	}
	return s, nil
}

// anyGroup is the first target group by the slots' names, for messages.
func (c *Client) anyGroup() value.ARN {
	slots := c.slots()
	return c.Groups[slots[0]]
}

// slots are the slots, by name.
func (c *Client) slots() []value.Name {
	var all []value.Name
	for slot := range c.Groups {
		all = append(all, slot)
	}
	slices.Sort(all)
	return all
}

func (c *Client) slotOf(group string) value.Name {
	for slot, arn := range c.Groups {
		if string(arn) == group {
			return slot
		}
	}
	return ""
}

// forward is where the forward action is; -1: nowhere.
func forward(actions []types.Action) int {
	return slices.IndexFunc(actions, func(a types.Action) bool { return a.Type == types.ActionTypeEnumForward })
}

// weights are those of a forward action, in either of its forms.
func weights(action types.Action) map[string]int {
	if action.ForwardConfig == nil || len(action.ForwardConfig.TargetGroups) == 0 {
		return map[string]int{aws.ToString(action.TargetGroupArn): 1}
	}
	all := make(map[string]int)
	for _, group := range action.ForwardConfig.TargetGroups {
		weight := 1 // what AWS takes where there is none
		if group.Weight != nil {
			weight = int(*group.Weight)
		}
		all[aws.ToString(group.TargetGroupArn)] = weight
	}
	return all
}

// replaced are the actions with another forward action. The secret of an OpenID
// client is never told, so that AWS is asked to keep it.
func (c *Client) replaced(actions []types.Action, s elb.Split) []types.Action {
	all := slices.Clone(actions)
	for i, action := range all {
		if oidc := action.AuthenticateOidcConfig; oidc != nil {
			same := *oidc
			same.UseExistingClientSecret = aws.Bool(true)
			all[i].AuthenticateOidcConfig = &same
		}
	}
	i := forward(all)
	all[i].TargetGroupArn, all[i].ForwardConfig = nil, c.forwarding(s)
	return all
}

func (c *Client) forwarding(s elb.Split) *types.ForwardActionConfig {
	config := &types.ForwardActionConfig{TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(s.Sticky > 0)}}
	if s.Sticky > 0 {
		config.TargetGroupStickinessConfig.DurationSeconds = aws.Int32(int32(s.Sticky / time.Second))
	}
	for _, slot := range c.slots() {
		if weight, in := s.Weights[slot]; in {
			config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{TargetGroupArn: aws.String(string(c.Groups[slot])), Weight: aws.Int32(int32(weight))})
		}
	}
	return config
}

// modify replaces all actions. What a call does not name stays: conditions,
// certificates, the port.
func (c *Client) modify(ctx context.Context, actions []types.Action) error {
	if c.Resource.IsRule() {
		_, err := c.api.ModifyRule(ctx, &api.ModifyRuleInput{RuleArn: aws.String(string(c.Resource)), Actions: actions})
		return explain("ModifyRule", c.Resource, err)
	}
	_, err := c.api.ModifyListener(ctx, &api.ModifyListenerInput{ListenerArn: aws.String(string(c.Resource)), DefaultActions: actions})
	return explain("ModifyListener", c.Resource, err)
}
