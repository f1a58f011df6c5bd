package spec

import (
	"maps"
	"slices"
	"testing"
)

// TestExampleHasEveryAttribute holds that the spec which the tests of the export
// read has all that the language has, so that nothing is exported untested.
func TestExampleHasEveryAttribute(t *testing.T) {
	s, problems := Load("../../testdata/spec/ok/attributes.hcl", Options{Dir: "../../testdata/spec", Version: "0.1.0"})
	if problems.Failed() {
		t.Fatal(problems)
	}
	// Tags of a group become its servers; locals are no block with a shape; a way
	// back takes neither a release nor a canary.
	may := map[string]bool{}
	has := map[string]bool{" group tags": true, " locals": true, " pipeline rollback deploy release": true, " pipeline rollback deploy canary": true}
	compare(s.normal.top, "", may, has)
	for _, name := range slices.Sorted(maps.Keys(may)) {
		if !has[name] {
			t.Errorf("attributes.hcl has no%s", name)
		}
	}
}

// compare notes what the blocks in f may have, by their shapes, and what they
// have.
func compare(f *form, within string, may, has map[string]bool) {
	for _, name := range slices.Concat(f.shape.attributes, f.shape.blocks, f.shape.singles) {
		may[within+" "+name] = true
	}
	for name := range f.terms {
		has[within+" "+name] = true
	}
	for _, inner := range f.inner {
		has[within+" "+inner.block.Type] = true
		compare(inner, within+" "+inner.block.Type, may, has)
	}
}
