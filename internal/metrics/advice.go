package metrics

import "fmt"

// tooMuch is the percentage past which a resource is short.
const tooMuch = 80

// High reports whether a percentage is past what leaves room for a deploy.
func High(percent int) bool { return percent > tooMuch }

// Advice is what to do about each resource that is short, and a clock that
// is off, without the machine's name.
func (s Sample) Advice() []string {
	var all []string
	add := func(percent int, format string, values ...any) {
		if High(percent) {
			all = append(all, fmt.Sprintf(format, values...))
		}
	}
	add(s.CPU, "the CPU is %d %% busy: a slot that starts beside another one will slow both down.", s.CPU)
	add(s.Memory.Used, "memory is %d %% used: a second slot may not fit beside the first.", s.Memory.Used)
	for _, d := range s.Disks {
		add(d.Used, "%s is %d %% full: remove what nobody needs, or lower keep_releases.", d.Path, d.Used)
		add(d.Inodes, "%s has used %d %% of the files it can hold: remove what nobody needs, or lower keep_releases.", d.Path, d.Inodes)
	}
	if text := ClockAdvice(s.Skew); text != "" {
		all = append(all, text)
	}
	return all
}
