package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/deploy-action/internal/event"
	"github.com/org/deploy-action/internal/report"
)

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fieldTable = regexp.MustCompile(`(?s)### (\w+)\n\n\| field \| type \| meaning \|\n\| --- \| --- \| --- \|\n((?:\|[^\n]*\n)*)`)
	fieldRow   = regexp.MustCompile("\\| `(\\w+)` \\| ([^|]*) \\| [^|]+ \\|\n")
)

// documented are the fields that a document tells of each structure, with their
// types.
func documented(text string) map[string][]string {
	all := make(map[string][]string)
	for _, table := range fieldTable.FindAllStringSubmatch(text, -1) {
		all[table[1]] = []string{}
		for _, row := range fieldRow.FindAllStringSubmatch(table[2], -1) {
			all[table[1]] = append(all[table[1]], row[1]+": "+row[2])
		}
	}
	return all
}

// declared adds the fields of a structure and of all that it holds.
func declared(all map[string][]string, of reflect.Type) {
	if _, known := all[of.Name()]; known || of == reflect.TypeFor[time.Time]() {
		return
	}
	all[of.Name()] = []string{}
	for i := range of.NumField() {
		name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		kind, holds := typeName(of.Field(i).Type)
		if options != "" {
			kind += ", optional"
		}
		all[of.Name()] = append(all[of.Name()], name+": "+kind)
		if holds != nil {
			declared(all, holds)
		}
	}
}

// typeName is a type as the documents call it, and the structure it holds.
func typeName(of reflect.Type) (name string, holds reflect.Type) {
	switch {
	case of == reflect.TypeFor[time.Duration]():
		return "duration", nil
	case of == reflect.TypeFor[time.Time]():
		return "time", nil
	case of.Kind() == reflect.Pointer:
		return typeName(of.Elem())
	case of.Kind() == reflect.Slice:
		name, holds := typeName(of.Elem())
		return "list of " + name, holds
	case of.Kind() == reflect.Struct:
		return of.Name(), of
	case of == reflect.TypeFor[string]():
		return "text", nil
	case of.Kind() == reflect.Int || of.Kind() == reflect.Int64 || of.Kind() == reflect.Float64:
		return "number", nil
	}
	return of.Name(), nil // bool, Kind, Outcome, Level
}

// TestSchemasAreDocumented compares the fields of events and of the JSON report
// with the documents, both ways.
func TestSchemasAreDocumented(t *testing.T) {
	events, reports := make(map[string][]string), make(map[string][]string)
	declared(events, reflect.TypeFor[event.Event]())
	declared(reports, reflect.TypeFor[report.Document]())
	for name := range events {
		delete(reports, name) // told with the events
	}
	if diff := cmp.Diff(events, documented(document(t, "events.md"))); diff != "" {
		t.Errorf("events.md (-code +document):\n%s", diff)
	}
	if diff := cmp.Diff(reports, documented(document(t, "report.md"))); diff != "" {
		t.Errorf("report.md (-code +document):\n%s", diff)
	}
	for name, schema := range map[string]int{"events.md": event.Schema, "report.md": report.Schema} {
		if !strings.Contains(document(t, name), "**schema "+strconv.Itoa(schema)+"**") {
			t.Errorf("%s does not speak of schema %d", name, schema)
		}
	}
}

// constants are the values of a type's constants in package event.
func constants(t *testing.T, of string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/event/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for spec := range ast.Preorder(file) {
		constant, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		if kind, ok := constant.Type.(*ast.Ident); ok && kind.Name == of {
			value, _ := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value) // the compiler has read it
			values = append(values, value)
		}
	}
	return values
}

// TestWordsOfEventsAreDocumented compares what kinds, outcomes and levels there
// are with the tables of events.md.
func TestWordsOfEventsAreDocumented(t *testing.T) {
	text := document(t, "events.md")
	for of, heading := range map[string]string{"Kind": "## Kinds", "Outcome": "## Outcomes", "Level": "## Levels"} {
		_, table, _ := strings.Cut(text, heading+"\n")
		table, _, _ = strings.Cut(table, "\n## ")
		var told []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z.]+)` \\|").FindAllStringSubmatch(table, -1) {
			told = append(told, row[1])
		}
		if want := constants(t, of); !slices.Equal(want, told) {
			t.Errorf("%s: the code has %q, events.md tells %q", of, want, told)
		}
	}
}
