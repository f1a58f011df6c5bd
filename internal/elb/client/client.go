// Package client makes the calls of the API of Elastic Load Balancing V2, by AWS's
// library; nobody above sees a type of it.
package client

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/deploy-action/internal/elb"
)

const (
	// callTime bounds one try of a call; AWS mostly answers within 200 ms.
	callTime = 5 * time.Second

	// attempts and longestWait are for calls that AWS throttles or does not answer.
	attempts    = 6
	longestWait = time.Second
)

// Client calls the API for one balancer. It is used by several goroutines at once.
type Client struct {
	elb.Balancer
	api *api.Client
}

// credentialsTime bounds the search for credentials; the last place to look, the
// metadata of an instance, is a network call.
const credentialsTime = 10 * time.Second

// New finds credentials as every program for AWS does: the environment, the shared
// files, a web identity, the role of the container or the instance.
func New(ctx context.Context, b elb.Balancer) (*Client, error) {
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

// Connect is New, as an elb.Connect.
func Connect(ctx context.Context, b elb.Balancer) (elb.API, error) { return New(ctx, b) }

// Close does nothing: a client holds nothing that would have to be given back.
func (c *Client) Close() error { return nil }

// patient tries again what is throttled or not answered, at ever longer distances.
// It is not the library's adaptive mode: that holds up all calls to come after one
// that was throttled, by seconds, and the way back has few.
func patient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, longestWait })
}
