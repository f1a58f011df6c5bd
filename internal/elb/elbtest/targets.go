package elbtest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/value"
)

// group is a target group.
type group struct {
	arn     value.ARN
	kind    string             // "ip" or "instance"
	health  string             // path of the health check
	pending int                // looks at a new target that find it "initial"
	targets map[string]*target // by address
	where   map[string]string  // addresses of instances
}

type target struct {
	id, port string
	looks    int
}

func newGroup(arn value.ARN) *group {
	return &group{arn: arn, kind: "ip", health: "/healthz", targets: make(map[string]*target), where: make(map[string]string)}
}

// Initial has new targets be "initial" for so many looks at them.
func (s *Server) Initial(looks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		g.pending = looks
	}
}

// Instances makes the targets of both groups instances, with those addresses by ID.
func (s *Server) Instances(where map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		g.kind, g.where = "instance", where
	}
}

// Targets are those of a group, sorted.
func (s *Server) Targets(of value.ARN) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.groups[of].targets))
}

// Add registers a target by hand.
func (s *Server) Add(of value.ARN, id, port string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[of].targets[id+":"+port] = &target{id: id, port: port}
}

func (s *Server) describeGroups(form url.Values) (tree, *fault) {
	arn := form.Get("TargetGroupArns.member.1")
	g := s.groups[value.ARN(arn)]
	if g == nil {
		return nil, notFound("TargetGroup", arn)
	}
	return tree{"TargetGroups": []tree{{
		"TargetGroupArn": arn, "TargetGroupName": g.arn.Named(), "TargetType": g.kind, "Protocol": "HTTP", "Port": "80",
		"HealthCheckEnabled": "true", "HealthCheckPath": g.health, "HealthCheckIntervalSeconds": "5", "HealthCheckTimeoutSeconds": "2",
		"HealthyThresholdCount": "2", "UnhealthyThresholdCount": "2",
	}}}, nil
}

func (s *Server) describeHealth(form url.Values) (tree, *fault) {
	arn := form.Get("TargetGroupArn")
	g := s.groups[value.ARN(arn)]
	if g == nil {
		return nil, notFound("TargetGroup", arn)
	}
	all := []tree{}
	for _, address := range slices.Sorted(maps.Keys(g.targets)) {
		t := g.targets[address]
		health := tree{"State": "healthy"}
		switch {
		case !s.inUse(arn):
			health = tree{"State": "unused", "Reason": "Target.NotInUse", "Description": "Target group is not configured to receive traffic from the load balancer"}
		case t.looks < g.pending:
			t.looks++
			health = tree{"State": "initial", "Reason": "Elb.RegistrationInProgress", "Description": "Target registration is in progress"}
		case !g.healthy(t):
			health = tree{"State": "unhealthy", "Reason": "Target.FailedHealthChecks", "Description": "Health checks failed"}
		}
		all = append(all, tree{"Target": tree{"Id": t.id, "Port": t.port}, "HealthCheckPort": t.port, "TargetHealth": health})
	}
	return tree{"TargetHealthDescriptions": all}, nil
}

func (s *Server) inUse(arn string) bool {
	for _, actions := range s.actions {
		if _, in := weights(actions)[arn]; in {
			return true
		}
	}
	return false
}

// healthy really asks the target.
func (g *group) healthy(t *target) bool {
	ctx, stop := context.WithTimeout(context.Background(), healthTime)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.address(t)+g.health, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (g *group) address(t *target) string {
	if host := g.where[t.id]; host != "" {
		return host + ":" + t.port
	}
	return t.id + ":" + t.port
}

func (s *Server) register(form url.Values) (tree, *fault) {
	return s.change(form, func(g *group, id, port string) {
		if g.targets[id+":"+port] == nil {
			g.targets[id+":"+port] = &target{id: id, port: port}
		}
	})
}

func (s *Server) deregister(form url.Values) (tree, *fault) {
	return s.change(form, func(g *group, id, port string) { delete(g.targets, id+":"+port) })
}

func (s *Server) change(form url.Values, do func(g *group, id, port string)) (tree, *fault) {
	arn := form.Get("TargetGroupArn")
	g := s.groups[value.ARN(arn)]
	if g == nil {
		return nil, notFound("TargetGroup", arn)
	}
	for _, t := range formed(form, "Targets") {
		id, _ := t["Id"].(string)
		port, _ := t["Port"].(string)
		if g.kind == "instance" != strings.HasPrefix(id, "i-") {
			return nil, &fault{code: "InvalidTarget", text: fmt.Sprintf("The target %s is not of the type %s", id, g.kind), status: 400}
		}
		do(g, id, port)
	}
	return tree{}, nil
}

// pass is a request of a client.
func (s *Server) pass(w http.ResponseWriter, r *http.Request) {
	address := s.choose()
	if address == "" {
		http.Error(w, "503 Service Temporarily Unavailable", http.StatusServiceUnavailable)
		return
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	proxy.ServeHTTP(w, r)
}

// choose draws a group by the weights of the rule, or of the listener where the
// rule has no actions, and one of its targets.
func (s *Server) choose() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	actions := s.actions[Rule]
	if len(actions) == 0 {
		actions = s.actions[Listener]
	}
	shares, sum := weights(actions), 0
	for _, weight := range shares {
		sum += weight
	}
	if sum == 0 {
		return ""
	}
	drawn := rand.IntN(sum)
	for arn, weight := range shares {
		if drawn -= weight; drawn < 0 {
			return s.groups[value.ARN(arn)].any()
		}
	}
	return ""
}

func (g *group) any() string {
	var all []string
	for _, t := range g.targets {
		all = append(all, g.address(t))
	}
	if len(all) == 0 {
		return ""
	}
	return all[rand.IntN(len(all))]
}
