package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// shapes say which of n stages the stage at i needs.
var shapes = map[string]func(i, n int) []int{
	"fan": func(int, int) []int { return nil },
	"chain": func(i, _ int) []int {
		if i == 0 {
			return nil
		}
		return []int{i - 1}
	},
	"layers": func(i, n int) []int { // each needs two of the layer before
		width := max(1, int(math.Sqrt(float64(n))))
		layer, place := i/width, i%width
		switch {
		case layer == 0:
			return nil
		case width == 1:
			return []int{i - 1}
		}
		return []int{(layer-1)*width + place, (layer-1)*width + (place+1)%width}
	},
}

// graph is the needs of stages, and those that nobody needs.
type graph struct {
	needs [][]int
	last  []int
}

func newGraph(n int, needs func(i, n int) []int) graph {
	g := graph{needs: make([][]int, n)}
	needed := make([]bool, n)
	for i := range n {
		g.needs[i] = needs(i, n)
		for _, need := range g.needs[i] {
			needed[need] = true
		}
	}
	for i, is := range needed {
		if !is {
			g.last = append(g.last, i)
		}
	}
	return g
}

// names of stages, in words of their own and parted by between.
func names(stages []int, format, between string) string {
	words := make([]string, len(stages))
	for i, stage := range stages {
		words[i] = fmt.Sprintf(format, stage)
	}
	return strings.Join(words, between)
}

// write describes a graph of stages that all run command to all contenders.
func write(dir string, g graph, command string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"deploy.hcl":     spec(g, command),
		"bash.hcl":       spec(g, command+";"), // no plain command: bash runs it
		"Makefile":       makefile(g, command+";"),
		"Makefile.plain": makefile(g, command),
		"build.ninja":    ninjafile(g, command),
		"Taskfile.yml":   taskfile(g, command),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func spec(g graph, command string) string {
	var b strings.Builder
	b.WriteString("pipeline \"bench\" {\n  max_parallel = 2\n")
	for i, needs := range g.needs {
		fmt.Fprintf(&b, "\n  stage \"s%d\" {\n    needs = [%s]\n    run   = %q\n  }\n", i, names(needs, "stage.s%d", ", "), command)
	}
	return b.String() + "}\n"
}

func makefile(g graph, command string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "all: %s\n", names(g.last, "s%d", " "))
	for i, needs := range g.needs {
		fmt.Fprintf(&b, ".PHONY: s%d\ns%[1]d: %s\n\t@%s\n", i, names(needs, "s%d", " "), command)
	}
	return b.String()
}

func ninjafile(g graph, command string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule run\n  command = %s\n", command)
	for i, needs := range g.needs {
		fmt.Fprintf(&b, "build s%d: run %s\n", i, names(needs, "s%d", " "))
	}
	fmt.Fprintf(&b, "build all: phony %s\n", names(g.last, "s%d", " "))
	return b.String()
}

// taskfile has go-task start a shell for what its own shell would do by itself.
func taskfile(g graph, command string) string {
	if !strings.Contains(command, "/") {
		command = "sh -c " + command
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version: '3'\nrun: once\nsilent: true\ntasks:\n  default:\n    deps: [%s]\n", names(g.last, "s%d", ", "))
	for i, needs := range g.needs {
		fmt.Fprintf(&b, "  s%d:\n    deps: [%s]\n    cmds: [%q]\n", i, names(needs, "s%d", ", "), command)
	}
	return b.String()
}
