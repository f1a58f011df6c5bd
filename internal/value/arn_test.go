package value

import (
	"strings"
	"testing"
)

const arnTest = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"

func TestARN(t *testing.T) {
	rule, err := ParseRuleARN(arnTest + "listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee")
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		rule.Region():           "eu-central-1",
		rule.Named():            "shop",
		string(rule.Listener()): arnTest + "listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2",
		string(rule.Balancer()): arnTest + "loadbalancer/app/shop/50dc6c495c0c9188",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	listener, err := ParseListenerARN(string(rule.Listener()))
	if err != nil || listener.Listener() != listener || listener.IsRule() || !rule.IsRule() {
		t.Errorf("%q %v", listener, err)
	}
	group, err := ParseTargetGroupARN("arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:targetgroup/shop-blue/73e2d6bc24d8a067")
	if err != nil || group.Named() != "shop-blue" {
		t.Errorf("%q %v", group, err)
	}
}

func TestARNRefused(t *testing.T) {
	for _, s := range []string{
		"", arnTest, arnTest + "listener/net/shop/50dc6c495c0c9188/f2f7dc8efc522ab2", arnTest + "listener/app/shop/50dc6c495c0c9188",
		arnTest + "targetgroup/shop;x/73e2d6bc24d8a067", arnTest + "targetgroup/shop/73e2d6bc24d8a067\n",
		arnTest + "targetgroup/shop/73e2d6bc24d8a06", arnTest + "targetgroup/shop/73e2d6bc24d8a06g", arnTest + "targetgroup//73e2d6bc24d8a067",
		arnTest + "targetgroup/" + strings.Repeat("s", 33) + "/73e2d6bc24d8a067", arnTest + "targetgroup/shöp/73e2d6bc24d8a067",
		strings.Replace(arnTest, "eu-central-1", "EU", 1) + "targetgroup/shop/73e2d6bc24d8a067",
		strings.Replace(arnTest, "123456789012", "12345678901x", 1) + "targetgroup/shop/73e2d6bc24d8a067",
		strings.Replace(arnTest, ":aws:", ":a:", 1) + "targetgroup/shop/73e2d6bc24d8a067",
		strings.Replace(arnTest, "elasticloadbalancing", "s3", 1) + "targetgroup/shop/73e2d6bc24d8a067",
	} {
		for _, parse := range []func(string) (ARN, error){ParseListenerARN, ParseRuleARN, ParseTargetGroupARN} {
			if arn, err := parse(s); err == nil {
				t.Errorf("%q is taken as %q", s, arn)
			}
		}
	}
	for _, s := range []string{"", "i-123", "i-0123456789abcdef0x", "web01"} {
		if _, err := ParseInstance(s); err == nil {
			t.Errorf("%q is taken as an instance", s)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for _, s := range []string{"http://127.0.0.1:4566", "https://elasticloadbalancing.eu-central-1.amazonaws.com"} {
		if got, err := ParseEndpoint(s); got != s || err != nil {
			t.Errorf("%q %v", got, err)
		}
	}
	for _, s := range []string{"", "localhost", "ftp://a", "https://a/b", "https://user:secret@a", "https://a?b", "https://a b"} {
		if _, err := ParseEndpoint(s); err == nil {
			t.Errorf("%q is taken as an endpoint", s)
		}
	}
}
