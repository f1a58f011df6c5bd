package client

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/value"
)

// State reads everything, side by side.
func (c *Client) State(ctx context.Context) (elb.State, error) {
	s := elb.State{Groups: make(map[value.Name]elb.Group)}
	var mu sync.Mutex
	reads := []func() error{
		func() error { return c.readListener(ctx, &s) },
		func() (err error) { s.Tags, err = c.Tags(ctx); return err },
	}
	for _, slot := range c.slots() {
		reads = append(reads, func() error {
			g, err := c.group(ctx, slot)
			mu.Lock()
			defer mu.Unlock()
			s.Groups[slot] = g
			return err
		})
	}
	return s, first(reads)
}

// first does all side by side and returns the first error in their order.
func first(all []func() error) error {
	errs := make([]error, len(all))
	var under sync.WaitGroup
	for i, do := range all {
		under.Go(func() { errs[i] = do() })
	}
	under.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readListener reads how requests are parted, and where they come in.
func (c *Client) readListener(ctx context.Context, s *elb.State) error {
	listener, err := c.listener(ctx)
	if err != nil {
		return err
	}
	actions := listener.DefaultActions
	if c.Resource.IsRule() {
		if actions, err = c.actions(ctx); err != nil {
			return err
		}
	}
	if s.Split, err = c.split(actions); err != nil {
		return err
	}
	arn := c.Resource.Balancer()
	found, err := c.api.DescribeLoadBalancers(ctx, &api.DescribeLoadBalancersInput{LoadBalancerArns: []string{string(arn)}})
	if err != nil {
		return explain("DescribeLoadBalancers", arn, err)
	}
	if len(found.LoadBalancers) != 1 {
		return fmt.Errorf("DescribeLoadBalancers: %d load balancers are %s", len(found.LoadBalancers), arn)
	}
	s.Entrance = elb.Entrance{
		Host: aws.ToString(found.LoadBalancers[0].DNSName), Port: value.Port(aws.ToInt32(listener.Port)),
		TLS: listener.Protocol == types.ProtocolEnumHttps, Login: len(actions) > 1,
	}
	return nil
}

// Tags reads turnout's tags of the listener or rule.
func (c *Client) Tags(ctx context.Context) (map[string]string, error) {
	found, err := c.api.DescribeTags(ctx, &api.DescribeTagsInput{ResourceArns: []string{string(c.Resource)}})
	if err != nil {
		return nil, explain("DescribeTags", c.Resource, err)
	}
	all := make(map[string]string)
	for _, description := range found.TagDescriptions {
		for _, tag := range description.Tags {
			if name, ours := strings.CutPrefix(aws.ToString(tag.Key), elb.TagPrefix); ours {
				all[name] = aws.ToString(tag.Value)
			}
		}
	}
	return all, nil
}

// Mark writes tags, by names without elb.TagPrefix, and leaves the others alone. It
// returns once the API answers with them.
func (c *Client) Mark(ctx context.Context, tags map[string]string) error {
	in := &api.AddTagsInput{ResourceArns: []string{string(c.Resource)}}
	for name, text := range tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(elb.TagPrefix + name), Value: aws.String(text)})
	}
	if _, err := c.api.AddTags(ctx, in); err != nil {
		return explain("AddTags", c.Resource, err)
	}
	return c.awaitTags(ctx, tags)
}

func (c *Client) awaitTags(ctx context.Context, want map[string]string) error {
	ctx, stop := context.WithTimeout(ctx, settleTime)
	defer stop()
	for {
		now, err := c.Tags(ctx)
		if err == nil && holds(now, want) {
			return nil
		}
		if pause(ctx, settlePoll) != nil {
			return fmt.Errorf("the tags of %s were written, and the API does not tell them after %s: %w", c.Resource.Resource(), settleTime, or(err, context.Cause(ctx)))
		}
	}
}

func or(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func holds(tags, want map[string]string) bool {
	for name, text := range want {
		if tags[name] != text {
			return false
		}
	}
	return true
}
