package elbtest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// tree is a structure of the API: texts, trees and lists of trees, by name.
type tree map[string]any

// grown is a tree made of names with dots in them, as forms have them.
func grown(flat map[string]string) tree {
	t := tree{}
	for name, text := range flat {
		t.put(strings.Split(name, "."), text)
	}
	return t
}

func (t tree) put(path []string, text string) {
	name := path[0]
	switch {
	case len(path) == 1:
		t[name] = text
	case path[1] == "member":
		list, _ := t[name].([]tree)
		i, _ := strconv.Atoi(path[2])
		for len(list) < i {
			list = append(list, tree{})
		}
		list[i-1].put(path[3:], text)
		t[name] = list
	default:
		inner, ok := t[name].(tree)
		if !ok {
			inner = tree{}
			t[name] = inner
		}
		inner.put(path[1:], text)
	}
}

// flat is the reverse of grown.
func (t tree) flat() map[string]string {
	all := make(map[string]string)
	for name, v := range t {
		switch v := v.(type) {
		case string:
			all[name] = v
		case tree:
			for inner, text := range v.flat() {
				all[name+"."+inner] = text
			}
		case []tree:
			for i, member := range v {
				for inner, text := range member.flat() {
					all[fmt.Sprintf("%s.member.%d.%s", name, i+1, inner)] = text
				}
			}
		}
	}
	return all
}

// formed is a list of structures in a form.
func formed(form url.Values, name string) []tree {
	flat := make(map[string]string)
	for key := range form {
		if strings.HasPrefix(key, name+".member.") {
			flat[key] = form.Get(key)
		}
	}
	list, _ := grown(flat)[name].([]tree)
	return list
}

// xml is the tree as the API answers it.
func (t tree) xml() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(&b, "<%s>", name)
		switch v := t[name].(type) {
		case string:
			b.WriteString(escaped(v))
		case tree:
			b.WriteString(v.xml())
		case []tree:
			for _, member := range v {
				fmt.Fprintf(&b, "<member>%s</member>", member.xml())
			}
		}
		fmt.Fprintf(&b, "</%s>", name)
	}
	return b.String()
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

// weights are those of the forward action, by the ARN of the group.
func weights(actions []tree) map[string]int {
	all := make(map[string]int)
	for _, action := range actions {
		if arn, single := action["TargetGroupArn"].(string); single {
			all[arn] = 1
		}
		forward, _ := action["ForwardConfig"].(tree)
		groups, _ := forward["TargetGroups"].([]tree)
		for _, g := range groups {
			arn, _ := g["TargetGroupArn"].(string)
			text, weighted := g["Weight"].(string)
			all[arn] = 1
			if weighted {
				all[arn], _ = strconv.Atoi(text)
			}
		}
	}
	return all
}
