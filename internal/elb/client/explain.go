package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/smithy-go"

	"github.com/org/deploy-action/internal/value"
)

// Codes of errors, from the reference of the API (version 2015-12-01) and its
// common errors.
var (
	denied    = []string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
	stale     = []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
	unknown   = []string{"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken", "OptInRequired"}
	throttled = []string{"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
	missing   = []string{"ListenerNotFound", "RuleNotFound", "TargetGroupNotFound", "LoadBalancerNotFound"}
)

// explain says what a call that went wrong means, and what to do; nil for nil.
func explain(action string, on value.ARN, err error) error {
	if err == nil {
		return nil
	}
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return unanswered(action, err)
	}
	code := answer.ErrorCode()
	is := func(codes []string) bool { return slices.Contains(codes, code) }
	switch {
	case is(denied):
		return fmt.Errorf("%s: these AWS credentials lack elasticloadbalancing:%s on %s: %s", action, action, on, answer.ErrorMessage())
	case is(stale):
		return fmt.Errorf("%s: the AWS credentials have expired: let them live longer than the deploy: %s", action, answer.ErrorMessage())
	case is(unknown):
		return fmt.Errorf("%s: AWS does not take the credentials: %s: %s", action, code, answer.ErrorMessage())
	case is(throttled):
		return fmt.Errorf("%s: AWS throttles the calls of this account, %d tries were too many: %s", action, attempts, answer.ErrorMessage())
	case is(missing):
		return fmt.Errorf("%s: there is no %s in %s: was it replaced? Name the one that is there in the spec", action, on.Resource(), on.Region())
	}
	return fmt.Errorf("%s %s: %s: %s", action, on.Resource(), code, answer.ErrorMessage())
}

// unanswered is a call that AWS gave no answer to.
func unanswered(action string, err error) error {
	var credentials interface{ CanceledError() bool } // of the library, where the context ended
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: no answer of AWS in time: %w", action, context.DeadlineExceeded)
	case errors.As(err, &credentials) && credentials.CanceledError():
		return fmt.Errorf("%s: %w", action, context.Canceled)
	}
	return fmt.Errorf("%s: %w", action, err)
}
