package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/org/deploy-action/internal/spec"
)

// chain is a pipeline of n stages, each of which needs the one before.
func chain(n int) []byte {
	var out strings.Builder
	out.WriteString("pipeline \"p\" {\n")
	for i := range n {
		fmt.Fprintf(&out, "  stage \"s%d\" {\n    type    = \"build\"\n    run     = \"true\"\n    timeout = \"30s\"\n", i)
		if i > 0 {
			fmt.Fprintf(&out, "    needs   = [stage.s%d]\n", i-1)
		}
		out.WriteString("  }\n")
	}
	out.WriteString("}\n")
	return []byte(out.String())
}

func benchmarkParse(b *testing.B, n int) {
	src := chain(n)
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := spec.Parse(src, "bench.hcl", spec.Options{CPUs: 2}); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

func BenchmarkParse1000Stages(b *testing.B)  { benchmarkParse(b, 1000) }
func BenchmarkParse10000Stages(b *testing.B) { benchmarkParse(b, 10000) }

// floor is the least that decoding the chain takes: HCL's parser and gohcl.
type floor struct {
	Pipelines []struct {
		Name   string `hcl:"name,label"`
		Stages []struct {
			Name    string         `hcl:"name,label"`
			Type    string         `hcl:"type,optional"`
			Run     string         `hcl:"run,optional"`
			Timeout string         `hcl:"timeout,optional"`
			Needs   hcl.Expression `hcl:"needs,optional"`
		} `hcl:"stage,block"`
	} `hcl:"pipeline,block"`
}

func BenchmarkFloor1000Stages(b *testing.B) {
	src := chain(1000)
	b.ReportAllocs()
	for b.Loop() {
		file, diags := hclparse.NewParser().ParseHCL(src, "bench.hcl")
		if diags.HasErrors() {
			b.Fatal(diags)
		}
		var into floor
		if diags := gohcl.DecodeBody(file.Body, nil, &into); diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}
