package canary

import (
	"fmt"
	"math"
	"strings"
)

// Figure is a metric of both releases, measured elsewhere; nil: it has no value.
type Figure struct {
	Name     string
	New, Old *float64
	Limits   Limits
}

// Limits are what the value of the new release may be; nil: anything. Where Max and
// MaxRatio are both given, it fails only beyond both: a release that does no worse
// than the old one is not at fault. So it is with Min and MinRatio.
type Limits struct {
	Max      *float64
	MaxRatio *float64 // of the old release's value
	Min      *float64
	MinRatio *float64
	Enough   *float64 // below it there is too little to judge by
}

// Weigh is what all figures together say. Too little to judge by comes before a
// failure, and a failure before a figure without a value.
func Weigh(figures []Figure) Opinion {
	var few, bad, missing []string
	for _, f := range figures {
		if why := f.scarce(); why != "" {
			few = append(few, why)
		}
		if why := f.fails(); why != "" {
			bad = append(bad, why)
		}
		if why := f.missing(); why != "" {
			missing = append(missing, why)
		}
	}
	switch {
	case few != nil:
		return Opinion{Insufficient, strings.Join(few, "; ")}
	case bad != nil:
		return Opinion{Fail, strings.Join(bad, "; ")}
	case missing != nil:
		return Opinion{Insufficient, strings.Join(missing, "; ")}
	}
	return Opinion{Verdict: Pass}
}

// scarce is why the value is too little to judge by.
func (f Figure) scarce() string {
	if f.Limits.Enough == nil || f.New == nil || *f.New >= *f.Limits.Enough {
		return ""
	}
	return fmt.Sprintf("%s is %.4g for the new release, %.4g is needed", f.Name, *f.New, *f.Limits.Enough)
}

// fails is why the value is beyond its limits.
func (f Figure) fails() string {
	if f.New == nil {
		return ""
	}
	if limit := f.limit(f.Limits.Max, f.Limits.MaxRatio, math.Max); limit != nil && *f.New > *limit {
		return f.beyond("most", *limit)
	}
	if limit := f.limit(f.Limits.Min, f.Limits.MinRatio, math.Min); limit != nil && *f.New < *limit {
		return f.beyond("least", *limit)
	}
	return ""
}

// limit is the wider of a fixed limit and one that the old release sets; nil where
// there is neither.
func (f Figure) limit(fixed, ratio *float64, wider func(x, y float64) float64) *float64 {
	if ratio == nil || f.Old == nil {
		return fixed
	}
	limit := *ratio * *f.Old
	if fixed != nil {
		limit = wider(limit, *fixed)
	}
	return &limit
}

func (f Figure) beyond(end string, limit float64) string {
	text := fmt.Sprintf("%s is %.4g", f.Name, *f.New)
	if f.Old != nil {
		text += fmt.Sprintf(", the old release has %.4g", *f.Old)
	}
	return fmt.Sprintf("%s; at %s %.4g is allowed", text, end, limit)
}

// missing is why nothing can be said of the figure.
func (f Figure) missing() string {
	alone := f.Limits.MaxRatio != nil && f.Limits.Max == nil || f.Limits.MinRatio != nil && f.Limits.Min == nil
	switch {
	case f.New == nil:
		return f.Name + " has no value for the new release: nothing matches its query, or it divides by 0"
	case f.Old == nil && alone:
		return f.Name + " has no value for the old release, to compare with"
	}
	return ""
}
