package spec

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Schema is the version of the JSON export. Fields are added within a version,
// never renamed or removed.
const Schema = 1

// JSON is HCL for programs. docs/export.md describes it.
func (s *Spec) JSON() ([]byte, Problems) {
	x := s.export()
	all := members{{"schema", Schema}}
	for _, kind := range topLevel {
		if kind == "locals" {
			all = x.addLocals(all)
			continue
		}
		forms := x.top.of(kind)
		if kind == "variable" {
			forms = slices.DeleteFunc(forms, func(f *form) bool { return !x.variables[f.block.Labels[0]] })
		}
		all = x.add(all, kind, forms, kind == "turnout" || kind == "ssh")
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(all) // texts, numbers and flags always encode, and a Buffer takes them
	return x.finish(out.Bytes())
}

func (x *export) addLocals(to members) members {
	if len(x.locals) == 0 {
		return to
	}
	var all members
	for _, name := range slices.Sorted(maps.Keys(x.locals)) {
		all = append(all, member{name, x.content(x.normal.locals[name]).json(x)})
	}
	return append(to, member{"locals", all})
}

// add adds the blocks of a kind: an object where there is one at most, else a
// list.
func (x *export) add(to members, kind string, forms []*form, single bool) members {
	var all []members
	for _, f := range forms {
		all = append(all, x.members(f))
	}
	switch {
	case len(all) == 0:
		return to
	case single:
		return append(to, member{kind, all[0]})
	}
	return append(to, member{kind, all})
}

func (x *export) members(f *form) members {
	all := members{}
	for i, label := range f.shape.labels {
		all = append(all, member{label, f.block.Labels[i]})
	}
	for _, name := range x.said(f) {
		all = append(all, member{name, x.content(f.terms[name]).json(x)})
	}
	for _, kind := range f.shape.blocks {
		all = x.add(all, kind, f.of(kind), false)
	}
	for _, kind := range f.shape.singles {
		all = x.add(all, kind, f.of(kind), true)
	}
	return all
}

// members is an object whose members stay in order.
type members []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in order.
func (m members) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	out.WriteByte('{')
	for i, member := range m {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := encoder.Encode(member.name); err != nil {
			return nil, err
		}
		out.WriteByte(':')
		if err := encoder.Encode(member.value); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
