package cli

import (
	"fmt"
	"slices"
	"testing"

	"github.com/org/deploy-action/internal/spec"
	"github.com/org/deploy-action/internal/value"
)

func TestShardsAreAllOfTheServersInOrder(t *testing.T) {
	for servers := range 12 {
		var all []*spec.Server
		for i := range servers {
			all = append(all, &spec.Server{Name: value.Name(fmt.Sprint("s", i))})
		}
		for n := 1; n <= 15; n++ {
			var together []*spec.Server
			for i := 1; i <= n; i++ {
				part, err := shard(all, fmt.Sprintf("%d/%d", i, n))
				if err != nil || len(part) < servers/n || len(part) > servers/n+1 {
					t.Errorf("%d/%d of %d servers: %d, %v", i, n, servers, len(part), err)
				}
				together = append(together, part...)
			}
			if !slices.Equal(together, all) {
				t.Errorf("%d parts of %d servers are others together", n, servers)
			}
		}
	}
	for _, text := range []string{"", "1", "0/2", "3/2", "1/0", "-1/2", "1/257", "a/b", "1/2/3", "1 / 2"} {
		if part, err := shard(nil, text); err == nil {
			t.Errorf("%q: %v", text, part)
		}
	}
}
