package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/spec"
)

// legs are the stages to run for a stage of the spec: one, or one for each
// combination of its matrix, in the order of the axes' names and then of their
// values.
func legs(from *spec.Stage) []*Stage {
	if len(from.Matrix) == 0 {
		return []*Stage{newStage(from)}
	}
	axes := slices.Sorted(maps.Keys(from.Matrix))
	var all []*Stage
	for _, values := range combinations(from.Matrix, axes) {
		leg := newStage(from)
		leg.Leg, leg.Name = leg.Name, leg.Name+"["+strings.Join(values, ",")+"]"
		leg.Matrix = make(map[string]string, len(axes))
		for i, axis := range axes {
			leg.Matrix[axis] = values[i]
		}
		all = append(all, leg)
	}
	return all
}

// combinations are the values of the axes, every one with every other.
func combinations(matrix map[string][]string, axes []string) [][]string {
	all := [][]string{nil}
	for _, axis := range axes {
		var longer [][]string
		for _, values := range all {
			for _, value := range matrix[axis] {
				longer = append(longer, append(slices.Clip(values), value))
			}
		}
		all = longer
	}
	return all
}
