package value

import (
	"fmt"
	"net/url"
	"strings"
)

// ARN names a resource of AWS Elastic Load Balancing: a listener or a rule of an
// Application Load Balancer, or a target group.
type ARN string

// ParseListenerARN returns s as the ARN of a listener.
func ParseListenerARN(s string) (ARN, error) {
	return parseARN(s, "a listener of an Application Load Balancer", "listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2")
}

// ParseRuleARN returns s as the ARN of a listener's rule.
func ParseRuleARN(s string) (ARN, error) {
	return parseARN(s, "a rule of an Application Load Balancer", "listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee")
}

// ParseTargetGroupARN returns s as the ARN of a target group.
func ParseTargetGroupARN(s string) (ARN, error) {
	return parseARN(s, "a target group", "targetgroup/shop-blue/73e2d6bc24d8a067")
}

// parseARN takes an ARN of the form of AWS's service authorization reference for
// Elastic Load Balancing V2, whose resource is like the example.
func parseARN(s, what, example string) (ARN, error) {
	parts := strings.Split(s, ":")
	sound := len(parts) == 6 && parts[0] == "arn" && strings.HasPrefix(parts[1], "aws") && isWord(parts[1], 32) &&
		parts[2] == "elasticloadbalancing" && isWord(parts[3], 32) && len(parts[4]) == 12 && onlyOf(parts[4], digits) && resembles(parts[5], example)
	if !sound {
		return "", fmt.Errorf("%q is not the ARN of %s: arn:aws:elasticloadbalancing:eu-central-1:123456789012:%s", s, what, example)
	}
	return ARN(s), nil
}

const (
	digits  = "0123456789"
	hex     = digits + "abcdef"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// isWord reports whether s is a partition or a region, up to so many bytes long.
func isWord(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Contains(lower, s[:1]) && onlyOf(s, lower+digits+"-")
}

// onlyOf reports whether every byte of s is one of those.
func onlyOf(s, of string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return !strings.ContainsRune(of, c) })
}

// resembles reports whether a resource has the words of the example, a name where
// that has its name, and numbers where that has numbers.
func resembles(resource, example string) bool {
	have, want := strings.Split(resource, "/"), strings.Split(example, "/")
	if len(have) != len(want) {
		return false
	}
	for i, part := range want {
		switch {
		case strings.HasPrefix(part, "shop"):
			if have[i] == "" || len(have[i]) > 32 || !onlyOf(have[i], letters+digits+"-") {
				return false
			}
		case len(part) == 16:
			if len(have[i]) != 16 || !onlyOf(have[i], hex) {
				return false
			}
		case have[i] != part:
			return false
		}
	}
	return true
}

// ParseInstance returns s as the ID of an EC2 instance.
func ParseInstance(s string) (string, error) {
	number, found := strings.CutPrefix(s, "i-")
	if !found || len(number) != 8 && len(number) != 17 || !onlyOf(number, hex) {
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
