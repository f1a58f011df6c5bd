// Package elbtest is a small Application Load Balancer: the query API of Elastic
// Load Balancing V2 as its reference (version 2015-12-01) has it, as far as turnout
// uses it, and a listener that really parts requests by the weights of its forward
// action among the targets that are healthy.
package elbtest

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/deploy-action/internal/value"
)

const account = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"

// The ARNs of what there is.
const (
	Listener value.ARN = account + "listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
	Rule     value.ARN = account + "listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
	Blue     value.ARN = account + "targetgroup/shop-blue/73e2d6bc24d8a067"
	Green    value.ARN = account + "targetgroup/shop-green/73e2d6bc24d8a068"
	balancer value.ARN = account + "loadbalancer/app/shop/50dc6c495c0c9188"
)

// Credentials are those that the API takes, as the environment has them.
var Credentials = map[string]string{
	"AWS_ACCESS_KEY_ID": "AKIDELBTEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
	"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}

// Server is the load balancer. The listener's default action and the rule forward
// to blue when it starts. Every request meets the rule's conditions.
type Server struct {
	mu      sync.Mutex
	actions map[value.ARN][]tree // of the listener and the rule
	tags    map[value.ARN]map[string]string
	groups  map[value.ARN]*group
	faults  []*fault
	calls   []string
	lag     int // reads after each write that still tell what was before
	late    int
	before  map[value.ARN][]tree

	api, front *httptest.Server
	port       int
	protocol   string
}

// fault is what the API answers to some calls.
type fault struct {
	action, code, text string
	status, times      int
}

// New starts a load balancer whose groups hold no targets. Close ends it.
func New() *Server {
	s := &Server{tags: make(map[value.ARN]map[string]string), groups: map[value.ARN]*group{
		Blue: newGroup(Blue), Green: newGroup(Green),
	}}
	forward := func() []tree { return []tree{{"Type": "forward", "TargetGroupArn": string(Blue)}} }
	s.actions, s.protocol = map[value.ARN][]tree{Listener: forward(), Rule: forward()}, "HTTP"
	s.api = httptest.NewServer(http.HandlerFunc(s.serve))
	s.front = httptest.NewServer(http.HandlerFunc(s.pass))
	u, _ := url.Parse(s.front.URL)
	_, _ = fmt.Sscan(u.Port(), &s.port)
	return s
}

// Close ends the load balancer.
func (s *Server) Close() {
	s.api.Close()
	s.front.Close()
}

// Endpoint is the URL of the API.
func (s *Server) Endpoint() string { return s.api.URL }

// URL is where clients come in.
func (s *Server) URL() string { return s.front.URL }

// Fail has the API answer the next calls of an action ("" for any) with an error.
func (s *Server) Fail(action, code, text string, status, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{action, code, text, status, times})
}

// Mend takes all errors back.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Lag has the next reads of actions after each write tell what was before.
func (s *Server) Lag(reads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = reads
}

// SayTLS has the API tell that the listener speaks HTTPS, which it does not.
func (s *Server) SayTLS() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.protocol = "HTTPS"
}

// Calls are the actions that were called, in order, and then forgotten.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// Weights are those of the forward action in force, by the names of the groups.
func (s *Server) Weights(of value.ARN) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]int)
	for arn, weight := range weights(s.actions[of]) {
		all[value.ARN(arn).Named()] = weight
	}
	return all
}

// Actions are those of the listener or rule, in the names of the API.
func (s *Server) Actions(of value.ARN) []map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []map[string]string
	for _, action := range s.actions[of] {
		all = append(all, action.flat())
	}
	return all
}

// SetActions is what a person does at the console.
func (s *Server) SetActions(of value.ARN, actions ...map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actions[of] = nil
	for _, flat := range actions {
		s.actions[of] = append(s.actions[of], grown(flat))
	}
}

// Tags are those of the listener or rule.
func (s *Server) Tags(of value.ARN) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.tags[of])
}

// SetTag writes one.
func (s *Server) SetTag(of value.ARN, name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tag(of, name, text)
}

func (s *Server) tag(of value.ARN, name, text string) {
	if s.tags[of] == nil {
		s.tags[of] = make(map[string]string)
	}
	s.tags[of][name] = text
}

// answers are what the API knows how to do.
func (s *Server) answers(action string) func(url.Values) (tree, *fault) {
	return map[string]func(url.Values) (tree, *fault){
		"DescribeRules": s.describeRules, "DescribeListeners": s.describeListeners, "DescribeLoadBalancers": s.describeBalancers,
		"ModifyRule": s.modifyRule, "ModifyListener": s.modifyListener,
		"DescribeTags": s.describeTags, "AddTags": s.addTags,
		"DescribeTargetGroups": s.describeGroups, "DescribeTargetHealth": s.describeHealth,
		"RegisterTargets": s.register, "DeregisterTargets": s.deregister,
	}[action]
}

// serve is one call of the API.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	action := r.PostForm.Get("Action")
	s.calls = append(s.calls, action)
	result, refused := s.answer(r, action)
	w.Header().Set("Content-Type", "text/xml")
	if refused != nil {
		w.WriteHeader(refused.status)
		fmt.Fprintf(w, `<ErrorResponse xmlns="%s"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
			namespace, refused.code, escaped(refused.text), rand.Text())
		return
	}
	fmt.Fprintf(w, `<%[1]sResponse xmlns="%[2]s"><%[1]sResult>%[3]s</%[1]sResult><ResponseMetadata><RequestId>%[4]s</RequestId></ResponseMetadata></%[1]sResponse>`,
		action, namespace, result.xml(), rand.Text())
}

const namespace = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"

func (s *Server) answer(r *http.Request, action string) (tree, *fault) {
	signed := r.Header.Get("Authorization")
	switch do := s.answers(action); {
	case r.PostForm.Get("Version") != "2015-12-01" || do == nil:
		return nil, &fault{code: "InvalidAction", text: "The action or operation requested is invalid.", status: 400}
	case !strings.HasPrefix(signed, "AWS4-HMAC-SHA256 Credential="+Credentials["AWS_ACCESS_KEY_ID"]+"/") || !strings.Contains(signed, "/eu-central-1/elasticloadbalancing/aws4_request"):
		return nil, &fault{code: "InvalidClientTokenId", text: "The security token included in the request is invalid.", status: 403}
	default:
		if f := s.fault(action); f != nil {
			return nil, f
		}
		return do(r.PostForm)
	}
}

func (s *Server) fault(action string) *fault {
	for _, f := range s.faults {
		if f.times > 0 && (f.action == "" || f.action == action) {
			f.times--
			return f
		}
	}
	return nil
}

func notFound(what string, arn string) *fault {
	return &fault{code: what + "NotFound", text: fmt.Sprintf("One or more %ss not found: %s", strings.ToLower(what), arn), status: 400}
}

func members(form url.Values, name string) []string {
	var all []string
	for i := 1; form.Has(fmt.Sprintf("%s.member.%d", name, i)); i++ {
		all = append(all, form.Get(fmt.Sprintf("%s.member.%d", name, i)))
	}
	return all
}

func (s *Server) describeRules(form url.Values) (tree, *fault) {
	arn := form.Get("RuleArns.member.1")
	if arn != string(Rule) {
		return nil, notFound("Rule", arn)
	}
	return tree{"Rules": []tree{{"RuleArn": arn, "Priority": "10", "IsDefault": "false", "Actions": s.told(Rule)}}}, nil
}

func (s *Server) describeListeners(form url.Values) (tree, *fault) {
	arn := form.Get("ListenerArns.member.1")
	if arn != string(Listener) {
		return nil, notFound("Listener", arn)
	}
	return tree{"Listeners": []tree{{
		"ListenerArn": arn, "LoadBalancerArn": string(balancer), "Port": fmt.Sprint(s.port), "Protocol": s.protocol, "DefaultActions": s.told(Listener),
	}}}, nil
}

func (s *Server) describeBalancers(form url.Values) (tree, *fault) {
	arn := form.Get("LoadBalancerArns.member.1")
	if arn != string(balancer) {
		return nil, notFound("LoadBalancer", arn)
	}
	return tree{"LoadBalancers": []tree{{"LoadBalancerArn": arn, "DNSName": "localhost", "Type": "application", "Scheme": "internet-facing"}}}, nil
}

// told are the actions as a read tells them: maybe a little old, in both forms of
// a forward action, and without secrets.
func (s *Server) told(of value.ARN) []tree {
	actions := s.actions[of]
	if s.late > 0 && s.before[of] != nil {
		s.late--
		actions = s.before[of]
	}
	var all []tree
	for i, action := range actions {
		shown := grown(action.flat())
		shown["Order"] = fmt.Sprint(i + 1)
		if oidc, ok := shown["AuthenticateOidcConfig"].(tree); ok {
			delete(oidc, "ClientSecret")
		}
		if arn, single := action["TargetGroupArn"]; single {
			shown["ForwardConfig"] = tree{
				"TargetGroups":                []tree{{"TargetGroupArn": arn, "Weight": "1"}},
				"TargetGroupStickinessConfig": tree{"Enabled": "false"},
			}
		}
		all = append(all, shown)
	}
	return all
}

func (s *Server) modifyRule(form url.Values) (tree, *fault) {
	if arn := form.Get("RuleArn"); arn != string(Rule) {
		return nil, notFound("Rule", arn)
	}
	if refused := s.replace(Rule, formed(form, "Actions")); refused != nil {
		return nil, refused
	}
	return tree{"Rules": []tree{{"RuleArn": string(Rule), "Actions": s.told(Rule)}}}, nil
}

func (s *Server) modifyListener(form url.Values) (tree, *fault) {
	if arn := form.Get("ListenerArn"); arn != string(Listener) {
		return nil, notFound("Listener", arn)
	}
	if refused := s.replace(Listener, formed(form, "DefaultActions")); refused != nil {
		return nil, refused
	}
	return tree{"Listeners": []tree{{"ListenerArn": string(Listener), "DefaultActions": s.told(Listener)}}}, nil
}

// replace takes new actions, as the reference says what they have to be.
func (s *Server) replace(of value.ARN, actions []tree) *fault {
	invalid := func(code, text string) *fault { return &fault{code: code, text: text, status: 400} }
	if len(actions) == 0 || actions[len(actions)-1]["Type"] != "forward" {
		return invalid("InvalidLoadBalancerAction", "The last action must be a routing action")
	}
	for arn, weight := range weights(actions) {
		if s.groups[value.ARN(arn)] == nil {
			return notFound("TargetGroup", arn)
		}
		if weight < 0 || weight > 999 {
			return invalid("ValidationError", "Weight must be between 0 and 999")
		}
	}
	for i, action := range actions {
		delete(action, "Order")
		oidc, ok := action["AuthenticateOidcConfig"].(tree)
		if !ok {
			continue
		}
		if oidc["ClientSecret"] == nil && oidc["UseExistingClientSecret"] != "true" {
			return invalid("InvalidLoadBalancerAction", "A client secret is required")
		}
		if oidc["UseExistingClientSecret"] == "true" && i < len(s.actions[of]) {
			delete(oidc, "UseExistingClientSecret")
			if former, ok := s.actions[of][i]["AuthenticateOidcConfig"].(tree); ok {
				oidc["ClientSecret"] = former["ClientSecret"]
			}
		}
	}
	s.before = maps.Clone(s.actions)
	s.late = s.lag
	s.actions[of] = actions
	return nil
}

func (s *Server) describeTags(form url.Values) (tree, *fault) {
	var all []tree
	for _, arn := range members(form, "ResourceArns") {
		tags := []tree{{"Key": "team", "Value": "web"}}
		for _, name := range slices.Sorted(maps.Keys(s.tags[value.ARN(arn)])) {
			tags = append(tags, tree{"Key": name, "Value": s.tags[value.ARN(arn)][name]})
		}
		all = append(all, tree{"ResourceArn": arn, "Tags": tags})
	}
	return tree{"TagDescriptions": all}, nil
}

func (s *Server) addTags(form url.Values) (tree, *fault) {
	for _, arn := range members(form, "ResourceArns") {
		for _, tag := range formed(form, "Tags") {
			name, _ := tag["Key"].(string)
			text, _ := tag["Value"].(string)
			if len(name) > 128 || len(text) > 256 {
				return nil, &fault{code: "ValidationError", text: "A tag is too long", status: 400}
			}
			s.tag(value.ARN(arn), name, text)
		}
	}
	return tree{}, nil
}

// healthTime bounds one health check of a target.
const healthTime = time.Second
