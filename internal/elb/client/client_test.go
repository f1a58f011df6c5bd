package client_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/elb"
	"github.com/org/deploy-action/internal/elb/client"
	"github.com/org/deploy-action/internal/elb/elbtest"
	"github.com/org/deploy-action/internal/value"
)

func start(t *testing.T) *elbtest.Server {
	t.Helper()
	for name, text := range elbtest.Credentials {
		t.Setenv(name, text)
	}
	s := elbtest.New()
	t.Cleanup(s.Close)
	return s
}

func dial(t *testing.T, s *elbtest.Server, resource value.ARN) *client.Client {
	t.Helper()
	c, err := client.New(t.Context(), elb.Balancer{
		Resource: resource, Groups: map[value.Name]value.ARN{"blue": elbtest.Blue, "green": elbtest.Green}, Endpoint: s.Endpoint(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func split(blue, green int) elb.Split {
	return elb.Split{Weights: map[value.Name]int{"blue": blue, "green": green}}
}

func TestRoute(t *testing.T) {
	s := start(t)
	for _, resource := range []value.ARN{elbtest.Listener, elbtest.Rule} {
		c := dial(t, s, resource)
		now, err := c.Split(t.Context())
		if err != nil || !now.Equal(elb.Split{Weights: map[value.Name]int{"blue": 1}}) {
			t.Errorf("%s: %+v %v", resource, now, err)
		}
		for _, want := range []elb.Split{split(0, 100), split(70, 30), split(100, 0)} {
			if err := c.Route(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if now, err := c.Split(t.Context()); err != nil || !now.Equal(want) {
				t.Errorf("%s: %+v %v, want %+v", resource, now, err, want)
			}
		}
		sticky := split(90, 10)
		sticky.Sticky = time.Hour
		if err := c.Route(t.Context(), sticky); err != nil {
			t.Fatal(err)
		}
		if now, err := c.Split(t.Context()); err != nil || !now.Equal(sticky) {
			t.Errorf("%s: %+v %v", resource, now, err)
		}
	}
}

// TestRouteKeepsOtherActions has actions before the forward one, of which AWS does
// not tell everything.
func TestRouteKeepsOtherActions(t *testing.T) {
	s := start(t)
	c := dial(t, s, elbtest.Rule)
	oidc := map[string]string{
		"Type": "authenticate-oidc", "AuthenticateOidcConfig.Issuer": "https://id.example.com", "AuthenticateOidcConfig.ClientId": "shop & co",
		"AuthenticateOidcConfig.AuthorizationEndpoint": "https://id.example.com/a", "AuthenticateOidcConfig.TokenEndpoint": "https://id.example.com/t",
		"AuthenticateOidcConfig.UserInfoEndpoint": "https://id.example.com/u", "AuthenticateOidcConfig.ClientSecret": "hush",
		"AuthenticateOidcConfig.SessionTimeout": "3600", "AuthenticateOidcConfig.Scope": "openid",
	}
	s.SetActions(elbtest.Rule, oidc, map[string]string{"Type": "forward", "TargetGroupArn": string(elbtest.Blue)})
	if err := c.Route(t.Context(), split(0, 100)); err != nil {
		t.Fatal(err)
	}
	got := s.Actions(elbtest.Rule)
	if len(got) != 2 || !maps.Equal(got[0], oidc) {
		t.Errorf("the first action is %v, want %v", got[0], oidc)
	}
	state, err := c.State(t.Context())
	if err != nil || !state.Entrance.Login {
		t.Errorf("%+v %v", state.Entrance, err)
	}
}

func TestSplitRefused(t *testing.T) {
	s := start(t)
	c := dial(t, s, elbtest.Rule)
	for says, action := range map[string]map[string]string{
		`has the action "redirect"`: {"Type": "redirect", "RedirectConfig.StatusCode": "HTTP_301"},
		"the target group of no slot": {
			"Type": "forward", "ForwardConfig.TargetGroups.member.1.TargetGroupArn": string(elbtest.Blue),
			"ForwardConfig.TargetGroups.member.2.TargetGroupArn": string(elbtest.Blue[:len(elbtest.Blue)-1]) + "0",
		},
	} {
		s.SetActions(elbtest.Rule, action)
		before := s.Actions(elbtest.Rule)
		err := c.Route(t.Context(), split(0, 100))
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "shop-blue") {
			t.Errorf("%v, want one that says %q", err, says)
		}
		if after := s.Actions(elbtest.Rule); !maps.Equal(before[0], after[0]) {
			t.Errorf("it was changed to %v", after)
		}
	}
}

// TestOldAnswers has reads tell for a while what was before a write.
func TestOldAnswers(t *testing.T) {
	s := start(t)
	s.Lag(3)
	c := dial(t, s, elbtest.Rule)
	if err := c.Route(t.Context(), split(0, 100)); err != nil {
		t.Fatal(err)
	}
	if now, err := c.Split(t.Context()); err != nil || !now.Equal(split(0, 100)) {
		t.Errorf("%+v %v", now, err)
	}
	s.Lag(1000)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if err := c.Route(ctx, split(100, 0)); err == nil || !strings.Contains(err.Error(), "does not say so") {
		t.Errorf("%v", err)
	}
}

func TestErrors(t *testing.T) {
	s := start(t)
	c := dial(t, s, elbtest.Rule)
	for _, test := range []struct {
		action, code, text string
		status             int
		says               string
	}{
		{"ModifyRule", "AccessDenied", "User: arn:aws:iam::1:user/ci is not authorized", 403, "lack elasticloadbalancing:ModifyRule on " + string(elbtest.Rule)},
		{"DescribeRules", "RuleNotFound", "One or more rules not found", 400, "there is no listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee in eu-central-1"},
		{"ModifyRule", "TargetGroupNotFound", "One or more target groups not found", 400, "was it replaced?"},
		{"DescribeRules", "ExpiredToken", "The security token included in the request is expired", 403, "have expired"},
		{"DescribeRules", "SignatureDoesNotMatch", "Signature expired", 403, "does not take the credentials: SignatureDoesNotMatch"},
		{"ModifyRule", "TooManyActions", "You've reached the limit on the number of actions per rule", 400, "TooManyActions: You've reached"},
	} {
		s.Fail(test.action, test.code, test.text, test.status, 1)
		err := c.Route(t.Context(), split(0, 100))
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "operation error") {
			t.Errorf("%s: %v, want one that says %q", test.code, err, test.says)
		}
		s.Mend()
	}
	if s.Weights(elbtest.Rule)["shop-green"] != 0 {
		t.Error("requests go to green")
	}
}

func TestThrottling(t *testing.T) {
	s := start(t)
	c := dial(t, s, elbtest.Rule)
	s.Fail("ModifyRule", "Throttling", "Rate exceeded", 400, 1)
	s.Fail("DescribeRules", "InternalFailure", "try again", 500, 1)
	if err := c.Route(t.Context(), split(0, 100)); err != nil {
		t.Error(err)
	}
	if calls := s.Calls(); len(calls) != 5 {
		t.Errorf("calls: %v", calls)
	}
	s.Fail("DescribeRules", "Throttling", "Rate exceeded", 400, 1000)
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if _, err := c.Split(ctx); err == nil {
		t.Error("it was throttled for ever, and nothing is said")
	}
}

func TestNoAnswer(t *testing.T) {
	s := start(t)
	c := dial(t, s, elbtest.Rule)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Split(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s.Close()
	late, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if _, err := c.Split(late); err == nil || !strings.HasPrefix(err.Error(), "DescribeRules: ") {
		t.Errorf("%v", err)
	}
}

func TestNoCredentials(t *testing.T) {
	s := start(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, err := client.New(t.Context(), elb.Balancer{
		Resource: elbtest.Rule, Groups: map[value.Name]value.ARN{"blue": elbtest.Blue, "green": elbtest.Green}, Endpoint: s.Endpoint(),
	})
	if err == nil || !strings.HasPrefix(err.Error(), "no AWS credentials here: ") {
		t.Errorf("%v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "another")
	if _, err = dial(t, s, elbtest.Rule).Split(t.Context()); err == nil || !strings.Contains(err.Error(), "InvalidClientTokenId") {
		t.Errorf("%v", err)
	}
}

func TestTags(t *testing.T) {
	s := start(t)
	c := dial(t, s, elbtest.Rule)
	s.SetTag(elbtest.Rule, "Name", "shop")
	if err := c.Mark(t.Context(), map[string]string{"epoch": "3 run-1", "growing": ""}); err != nil {
		t.Fatal(err)
	}
	tags, err := c.Tags(t.Context())
	if err != nil || !maps.Equal(tags, map[string]string{"epoch": "3 run-1", "growing": ""}) {
		t.Errorf("%v %v", tags, err)
	}
	if s.Tags(elbtest.Rule)["Name"] != "shop" || s.Tags(elbtest.Rule)["turnout:epoch"] != "3 run-1" {
		t.Errorf("%v", s.Tags(elbtest.Rule))
	}
}

func TestTargets(t *testing.T) {
	s := start(t)
	c := dial(t, s, elbtest.Rule)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	defer app.Close()
	address := value.Address(strings.TrimPrefix(app.URL, "http://"))
	state, err := c.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := c.Targets(state.Groups["blue"], []value.Address{address, "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	s.Initial(3)
	if err := c.Register(t.Context(), "blue", wanted); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitHealthy(t.Context(), "blue", wanted[:1], false); err != nil {
		t.Error(err)
	}
	if err := c.AwaitHealthy(t.Context(), "blue", wanted, true); err != nil {
		t.Error(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	err = c.AwaitHealthy(ctx, "blue", append(wanted, elb.Target{ID: "127.0.0.9", Port: 9}), false)
	if says := "does not find shop-blue healthy: 127.0.0.1:1 is unhealthy, Target.FailedHealthChecks: Health checks failed; 127.0.0.9:9 is not registered"; err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want one that says %q", err, says)
	}
	if err := c.Deregister(t.Context(), "blue", wanted[1:]); err != nil {
		t.Fatal(err)
	}
	if got := s.Targets(elbtest.Blue); !slices.Equal(got, []string{string(address)}) {
		t.Errorf("%v", got)
	}
	if left := elb.Missing(wanted, wanted[:1]); len(left) != 1 || left[0].String() != "127.0.0.1:1" {
		t.Errorf("%v", left)
	}
}

func TestInstances(t *testing.T) {
	s := start(t)
	s.Instances(nil)
	c := dial(t, s, elbtest.Rule)
	state, err := c.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Targets(state.Groups["blue"], []value.Address{"10.0.1.11:8081"}); err == nil || !strings.Contains(err.Error(), "takes instances, and the spec does not say which one 10.0.1.11 is") {
		t.Errorf("%v", err)
	}
	c.Balancer.Instances = map[string]string{"10.0.1.11": "i-0123456789abcdef0"}
	targets, err := c.Targets(state.Groups["blue"], []value.Address{"10.0.1.11:8081"})
	if err != nil || targets[0].String() != "i-0123456789abcdef0:8081" {
		t.Errorf("%v %v", targets, err)
	}
	if err := c.Register(t.Context(), "blue", targets); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	good := elb.Balancer{Resource: elbtest.Rule, Groups: map[value.Name]value.ARN{"blue": elbtest.Blue, "green": elbtest.Green}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*elb.Balancer){
		"resource": func(b *elb.Balancer) { b.Resource = elbtest.Blue },
		"none":     func(b *elb.Balancer) { b.Resource = "" },
		"groups":   func(b *elb.Balancer) { b.Groups = map[value.Name]value.ARN{"blue": elbtest.Blue} },
		"group": func(b *elb.Balancer) {
			b.Groups = map[value.Name]value.ARN{"blue": elbtest.Blue, "green": elbtest.Rule}
		},
		"instance": func(b *elb.Balancer) { b.Instances = map[string]string{"10.0.0.1": "web01"} },
		"endpoint": func(b *elb.Balancer) { b.Endpoint = "https://api.example.com/path" },
	} {
		b := good
		if spoil(&b); b.Validate() == nil {
			t.Errorf("%s is taken: %+v", name, b)
		}
	}
}
