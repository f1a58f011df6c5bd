package artifact

import "fmt"

// mostNotices is how many notices are told one by one.
const mostNotices = 10

// notices are what the reader should know about files that were not taken as
// they are.
type notices struct {
	told []string
	more int
}

func (n *notices) add(name Text, what string) {
	if len(n.told) == mostNotices {
		n.more++
		return
	}
	n.told = append(n.told, fmt.Sprintf("%s %s", name, what))
}

// all are the notices, the last one being about those that are not told.
func (n *notices) all() []string {
	if n.more == 0 {
		return n.told
	}
	return append(n.told[:len(n.told):len(n.told)], fmt.Sprintf("and %d more of this sort", n.more))
}
