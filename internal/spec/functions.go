package spec

import (
	"errors"
	"maps"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// doors are the functions that ask the world outside the file.
var doors = []string{"env", "file", "fileexists"}

// functions are those of every expression: the standard library of cty, try,
// can, and the doors to the world outside the file.
func (r *reader) functions() map[string]function.Function {
	all := maps.Clone(library)
	all["env"] = textFunction("name", cty.String, func(name string) (cty.Value, error) {
		return cty.StringVal(r.o.Getenv(name)), nil
	})
	all["file"] = textFunction("path", cty.String, func(path string) (cty.Value, error) {
		content, err := os.ReadFile(r.resolve(path))
		return cty.StringVal(string(content)), err
	})
	all["fileexists"] = textFunction("path", cty.Bool, func(path string) (cty.Value, error) {
		info, err := os.Stat(r.resolve(path))
		return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
	})
	all["failed"], all["cancelled"] = outOfPlace("failed"), outOfPlace("cancelled")
	return all
}

// resolve is where a path of file() leads.
func (r *reader) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.o.Dir, path)
}

// textFunction is a function of one string that asks the world outside the file.
func textFunction(parameter string, result cty.Type, call func(string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: parameter, Type: cty.String}},
		Type:   function.StaticReturnType(result),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := call(args[0].AsString())
			return v.Mark(outside), err
		},
	})
}

// outOfPlace stands for a function that only knows its answer after a run.
func outOfPlace(name string) function.Function {
	return runFunction(func([]cty.Value) (cty.Value, error) {
		return cty.UnknownVal(cty.Bool), errors.New(name + "() has an answer only when a run has ended: it may stand in the when of a rollback or artifact block and nowhere else")
	})
}

// runFunction is a function of stage references that answers yes or no.
func runFunction(call func(args []cty.Value) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "stage", Type: customdecode.ExpressionType},
		Type:     function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return call(args)
		},
	})
}

// argument is the expression that a runFunction was given.
func argument(v cty.Value) hcl.Expression { return customdecode.ExpressionFromVal(v) }

var library = map[string]function.Function{
	"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc,
	"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc,
	"signum": stdlib.SignumFunc,

	"chomp": stdlib.ChompFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc,
	"indent": stdlib.IndentFunc, "join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "regex": stdlib.RegexFunc,
	"regexall": stdlib.RegexAllFunc, "regexreplace": stdlib.RegexReplaceFunc, "replace": stdlib.ReplaceFunc,
	"reverse": stdlib.ReverseListFunc, "split": stdlib.SplitFunc, "strlen": stdlib.StrlenFunc,
	"strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc, "trim": stdlib.TrimFunc,
	"trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc,
	"upper": stdlib.UpperFunc,

	"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
	"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
	"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
	"index": stdlib.IndexFunc, "keys": stdlib.KeysFunc, "length": stdlib.LengthFunc, "lookup": stdlib.LookupFunc,
	"merge": stdlib.MergeFunc, "range": stdlib.RangeFunc, "setintersection": stdlib.SetIntersectionFunc,
	"setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc,
	"slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,

	"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
	"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc,

	"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number),
	"tobool": stdlib.MakeToFunc(cty.Bool), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
	"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),

	"can": tryfunc.CanFunc, "try": tryfunc.TryFunc,
}
