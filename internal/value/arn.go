package value

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// ARN names a resource of AWS Elastic Load Balancing: a listener or a rule of an
// Application Load Balancer, or a target group.
type ARN string

// The forms are those of AWS's service authorization reference for Elastic Load
// Balancing V2.
const (
	arnStart  = `\Aarn:aws[a-z-]{0,20}:elasticloadbalancing:[a-z]{2}[a-z0-9-]{1,30}:[0-9]{12}:`
	arnName   = `[A-Za-z0-9-]{1,32}`
	arnNumber = `/[0-9a-f]{16}`
)

var (
	listenerARN     = regexp.MustCompile(arnStart + `listener/app/` + arnName + arnNumber + arnNumber + `\z`)
	ruleARN         = regexp.MustCompile(arnStart + `listener-rule/app/` + arnName + arnNumber + arnNumber + arnNumber + `\z`)
	targetGroupARN  = regexp.MustCompile(arnStart + `targetgroup/` + arnName + arnNumber + `\z`)
	instancePattern = regexp.MustCompile(`\Ai-([0-9a-f]{8}|[0-9a-f]{17})\z`)
)

// ParseListenerARN returns s as the ARN of a listener.
func ParseListenerARN(s string) (ARN, error) {
	return parseARN(s, listenerARN, "a listener of an Application Load Balancer", "listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2")
}

// ParseRuleARN returns s as the ARN of a listener's rule.
func ParseRuleARN(s string) (ARN, error) {
	return parseARN(s, ruleARN, "a rule of an Application Load Balancer", "listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee")
}

// ParseTargetGroupARN returns s as the ARN of a target group.
func ParseTargetGroupARN(s string) (ARN, error) {
	return parseARN(s, targetGroupARN, "a target group", "targetgroup/shop-blue/73e2d6bc24d8a067")
}

func parseARN(s string, pattern *regexp.Regexp, what, example string) (ARN, error) {
	if !pattern.MatchString(s) {
		return "", fmt.Errorf("%q is not the ARN of %s: arn:aws:elasticloadbalancing:eu-central-1:123456789012:%s", s, what, example)
	}
	return ARN(s), nil
}

// ParseInstance returns s as the ID of an EC2 instance.
func ParseInstance(s string) (string, error) {
	if !instancePattern.MatchString(s) {
		return "", fmt.Errorf("%q is not the ID of an instance: i-0123456789abcdef0", s)
	}
	return s, nil
}

// ParseEndpoint returns s as the URL of an API: a scheme and a host, and nothing
// else.
func ParseEndpoint(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() != s {
		return "", fmt.Errorf("%q is not the URL of an API: a scheme and a host, such as https://elasticloadbalancing.eu-central-1.amazonaws.com", s)
	}
	return s, nil
}

// Region is where the resource is.
func (a ARN) Region() string { return strings.Split(string(a), ":")[3] }

// Resource is the part of the ARN behind the account: "listener/app/shop/…".
func (a ARN) Resource() string { return string(a)[strings.LastIndexByte(string(a), ':')+1:] }

// IsRule reports whether a names a rule.
func (a ARN) IsRule() bool { return strings.HasPrefix(a.Resource(), "listener-rule/") }

// Named is the name that people gave to the load balancer or the target group
// that a belongs to.
func (a ARN) Named() string {
	parts := strings.Split(a.Resource(), "/")
	if parts[0] == "targetgroup" {
		return parts[1]
	}
	return parts[2]
}

// Listener is the listener that a is, or whose rule it is.
func (a ARN) Listener() ARN {
	if !a.IsRule() {
		return a
	}
	start, resource := string(a)[:len(a)-len(a.Resource())], strings.TrimPrefix(a.Resource(), "listener-rule")
	return ARN(start + "listener" + resource[:strings.LastIndexByte(resource, '/')])
}

// Balancer is the load balancer of a listener or a rule.
func (a ARN) Balancer() ARN {
	l := string(a.Listener())
	return ARN(strings.Replace(l[:strings.LastIndexByte(l, '/')], ":listener/", ":loadbalancer/", 1))
}
