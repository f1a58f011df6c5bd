package event

import "reflect"

// Masked is e with mask applied to every text in it. What is of a type of its
// own, such as a Kind or an Outcome, is no text; what stages put out is masked
// where it is read, and can be any amount.
func Masked(e Event, mask func(string) string) Event {
	if e.Kind == StageOutput {
		return e
	}
	return rewrite(reflect.ValueOf(e), mask).Interface().(Event)
}

var text = reflect.TypeFor[string]()

// rewrite copies v, all the way down, with its texts replaced.
func rewrite(v reflect.Value, mask func(string) string) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == text {
			return reflect.ValueOf(mask(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out := reflect.New(v.Type().Elem())
			out.Elem().Set(rewrite(v.Elem(), mask))
			return out
		}
	case reflect.Slice:
		if !v.IsNil() {
			out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			for i := range v.Len() {
				out.Index(i).Set(rewrite(v.Index(i), mask))
			}
			return out
		}
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v) // fields that are not ours to set, as those of time.Time
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(rewrite(v.Field(i), mask))
			}
		}
		return out
	}
	return v
}
