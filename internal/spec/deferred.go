package spec

// Facts is what becomes known only while a pipeline runs.
type Facts struct {
	Failed    map[string]bool              // stages that failed
	Cancelled bool                         // the run was cancelled
	Outputs   map[string]map[string]string // by stage, by name
	Matrix    map[string]string            // the leg of a stage with a matrix
}

// Text is a string of the spec. It may depend on what stages put out and is
// then known only when those have run.
type Text struct {
	Source string   // what the file says, or the value where it is known already
	Needs  []string // stages whose outputs it reads
	eval   func(Facts) (string, error)
}

// Known returns a Text with a value that depends on nothing.
func Known(s string) *Text {
	return &Text{Source: s, eval: func(Facts) (string, error) { return s, nil }}
}

// Value is the text with facts filled in. The error names the place in the spec.
func (t *Text) Value(facts Facts) (string, error) { return t.eval(facts) }

// Condition is a question of the spec, such as failed(stage.deploy).
type Condition struct {
	Source string // what the file says
	Pos    Pos
	Needs  []string // stages whose outputs it reads
	Fixed  *bool    // the answer, where it depends on no fact
	eval   func(Facts) (bool, error)
}

// Holds answers the condition. The error names the place in the spec.
func (c *Condition) Holds(facts Facts) (bool, error) {
	if c.Fixed != nil {
		return *c.Fixed, nil
	}
	return c.eval(facts)
}
