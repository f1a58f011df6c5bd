// Package elb has an AWS Application Load Balancer send the requests of one
// listener or rule to either of two target groups, or to both by weight. It speaks
// the API of Elastic Load Balancing V2; nobody above sees a type of AWS.
//
// What decides is the forward action, replaced as a whole by one call. What turnout
// has to remember is in tags of the same listener or rule. The calls of one
// caller are not a transaction: between a read and a write others may write.
package elb

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/deploy-action/internal/value"
)

// Balancer is a listener or rule of a load balancer, and the target groups of the
// two slots.
type Balancer struct {
	Resource value.ARN                `json:"resource"` // a listener, whose default action is meant, or a rule
	Groups   map[value.Name]value.ARN `json:"groups"`   // by slot
	// Instances are the IDs of the servers' instances by their addresses, for
	// groups whose targets are instances.
	Instances map[string]string `json:"instances,omitempty"`
	Endpoint  string            `json:"endpoint,omitempty"` // URL of the API; empty: that of AWS in the region
}

// Validate tells whether every value that reaches a call is on the allow-list of
// its type. The types alone do not say so: a Balancer may have come over a wire.
func (b Balancer) Validate() error {
	parse := value.ParseListenerARN
	if len(b.Resource) > 0 && b.Resource.IsRule() {
		parse = value.ParseRuleARN
	}
	if _, err := parse(string(b.Resource)); err != nil {
		return err
	}
	if len(b.Groups) != 2 {
		return fmt.Errorf("%d target groups, and each of two slots has one", len(b.Groups))
	}
	for slot, group := range b.Groups {
		if _, err := value.ParseTargetGroupARN(string(group)); err != nil {
			return fmt.Errorf("slot %s: %w", slot, err)
		}
	}
	for _, id := range b.Instances {
		if _, err := value.ParseInstance(id); err != nil {
			return err
		}
	}
	if b.Endpoint == "" {
		return nil
	}
	_, err := value.ParseEndpoint(b.Endpoint)
	return err
}

const (
	// callTime bounds one try of a call; AWS mostly answers within 200 ms.
	callTime = 5 * time.Second

	// attempts and longestWait are for calls that AWS throttles or does not answer.
	attempts    = 6
	longestWait = time.Second
)

// Client calls the API for one balancer. It is used by several goroutines at once.
type Client struct {
	Balancer
	api *api.Client
}

// credentialsTime bounds the search for credentials; the last place to look, the
// metadata of an instance, is a network call.
const credentialsTime = 10 * time.Second

// New finds credentials as every program for AWS does: the environment, the shared
// files, a web identity, the role of the container or the instance.
func New(ctx context.Context, b Balancer) (*Client, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	found, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(b.Resource.Region()),
		config.WithRetryer(patient),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callTime)))
	if err != nil {
		return nil, fmt.Errorf("settings of AWS: %w", err)
	}
	limited, stop := context.WithTimeout(ctx, credentialsTime)
	defer stop()
	if _, err := found.Credentials.Retrieve(limited); err != nil {
		return nil, fmt.Errorf("no AWS credentials here: %w; give the job some, by aws-actions/configure-aws-credentials or the variables AWS_…, or name in servers one whose instance has a role", err)
	}
	return &Client{Balancer: b, api: api.NewFromConfig(found, func(o *api.Options) {
		if b.Endpoint != "" {
			o.BaseEndpoint = aws.String(b.Endpoint)
		}
	})}, nil
}

// Close does nothing: a client holds nothing that would have to be given back.
func (c *Client) Close() error { return nil }

// patient tries again what is throttled or not answered, at ever longer distances.
// It is not the library's adaptive mode: that holds up all calls to come after one
// that was throttled, by seconds, and the way back has few.
func patient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, longestWait })
}
