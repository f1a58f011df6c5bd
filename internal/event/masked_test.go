package event_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/event"
)

// fill puts text into every string of v, and one element into every slice. Of what
// Masked does not look into, an event has nothing.
func fill(t *testing.T, v reflect.Value, text string) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(t, v.Field(i), text)
			}
		}
	case reflect.Map, reflect.Array, reflect.Interface:
		t.Errorf("an event has a %s, and Masked has no case for it", v.Type())
	}
}

func TestMaskedReachesEveryText(t *testing.T) {
	var e event.Event
	fill(t, reflect.ValueOf(&e).Elem(), "<<hunter2>>")
	e.Kind, e.Time = event.SwitchDone, time.Unix(1, 0)
	e.Switch.Canary.Outcome = event.CanaryAborted
	e.Result.Outcome, e.Switch.Outcome, e.Note.Level = event.Failed, event.Failed, event.Info

	masked := event.Masked(e, func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") })
	encoded, err := json.Marshal(masked)
	if err != nil || strings.Contains(string(encoded), "hunter2") {
		t.Errorf("%v\n%s", err, encoded)
	}
	if masked.Kind != e.Kind || !masked.Time.Equal(e.Time) || masked.Switch.Reason != "<<***>>" {
		t.Errorf("masked: %+v", masked)
	}
	if e.Switch.Reason != "<<hunter2>>" {
		t.Error("the event itself was changed")
	}
}
