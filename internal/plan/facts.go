package plan

import "fmt"

// Fact is something that was so on a host when a run was planned: "edge01 serves
// green".
type Fact struct {
	Host string `json:"host"`
	What string `json:"what"` // "serves", "configuration", "slot blue"
	Is   string `json:"is"`
}

// about is what a fact is about, without what it says.
type about struct{ host, what string }

func (f Fact) about() about { return about{f.Host, f.What} }

// Moved says how facts have changed: what is otherwise now, what is gone and what
// is new, each in a sentence.
func Moved(planned, now []Fact) []string {
	is := make(map[about]string, len(now))
	for _, fact := range now {
		is[fact.about()] = fact.Is
	}
	var all []string
	was := make(map[about]bool, len(planned))
	for _, fact := range planned {
		was[fact.about()] = true
		switch found, known := is[fact.about()]; {
		case !known:
			all = append(all, fmt.Sprintf("%s: %s: %s is gone", fact.Host, fact.What, fact.Is))
		case found != fact.Is:
			all = append(all, fmt.Sprintf("%s: %s: was %s, is %s", fact.Host, fact.What, fact.Is, found))
		}
	}
	for _, fact := range now {
		if !was[fact.about()] {
			all = append(all, fmt.Sprintf("%s: %s: is %s, which was not there", fact.Host, fact.What, fact.Is))
		}
	}
	return all
}
