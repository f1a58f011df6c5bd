package proxy

import (
	"testing"
	"time"
)

func TestParseLogged(t *testing.T) {
	const ms = time.Millisecond
	for line, want := range map[string]*served{
		"green 200 - 0.012\n":          {slot: "green", latency: 12 * ms},
		"green 500 - 0.000\n":          {slot: "green", failed: true},
		"blue 502 - -\n":               {slot: "blue", failed: true, latency: -1},
		"blue 502 - -, -\n":            {slot: "blue", failed: true, latency: -1},
		"blue 200 - 0.001, 0.002\n":    {slot: "blue", latency: 3 * ms},
		"blue 200 - 0.001 : 0.002\n":   {slot: "blue", latency: 3 * ms},
		"blue 499 - -\n":               {slot: "blue", latency: -1},
		"green 200 chosen 0.012\n":     nil,
		"green 502 synthetic 0.012\n":  {slot: "green", synthetic: true, failed: true, latency: 12 * ms},
		"green 200 -\n":                nil,
		"green OK - 0.1\n":             nil,
		" 400 - -\n":                   nil,
		"\x00\x00green 200 - 0.012\n":  nil,
		"Green 200 - 0.012\n":          nil,
		"green 200 - 0.012 and more\n": {slot: "green", latency: 12 * ms},
		"green 200 - NaN\n":            {slot: "green", latency: -1},
	} {
		got, ok := parseLogged(line)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%q: %+v %t, want %+v", line, got, ok, want)
		}
	}
}

func TestParseEvent(t *testing.T) {
	const ms = time.Millisecond
	site := exampleSite(HAProxy)
	start := "127.0.0.1:36012 [25/Nov/2026:16:55:00.123] shop "
	for line, want := range map[string]*served{
		start + `shop_green/s1 0/0/0/12/15 200 123 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`:             {slot: "green", latency: 12 * ms},
		start + `shop_green/s1 0/0/0/12/15 200 123 - - ---- 1/1/0/0/0 0/0 {} "GET / HTTP/1.1"`:          {slot: "green", latency: 12 * ms},
		start + `shop_green/s1 0/0/0/12/15 200 123 - - ---- 1/1/0/0/0 0/0 {|green} "GET / HTTP/1.1"`:    nil,
		start + `shop_green/s1 0/0/0/12/15 200 123 - - ---- 1/1/0/0/0 0/0 {1|green} "GET / HTTP/1.1"`:   nil,
		start + `shop_green/s1 0/0/0/12/15 200 123 - - ---- 1/1/0/0/0 0/0 {1|} "GET / HTTP/1.1"`:        {slot: "green", synthetic: true, latency: 12 * ms},
		start + `shop_green/s1 0/0/0/12/15 200 123 - - ---- 1/1/0/0/0 0/0 {1} "GET / HTTP/1.1"`:         {slot: "green", synthetic: true, latency: 12 * ms},
		start + `shop_blue/s1 0/0/0/12/15 200 123 - - ---- 1/1/0/0/0 0/0 {|nonsense} "GET / HTTP/1.1"`:  {slot: "blue", latency: 12 * ms},
		start + `shop_green/<NOSRV> 0/-1/-1/-1/3 503 217 - - SC-- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`:       {slot: "green", failed: true, latency: -1},
		start + `shop_green/s1 0/0/0/1/4 200 99 - - SD-- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`:                {slot: "green", failed: true, latency: ms},
		start + `shop_green/s1 0/0/0/1/4 200 99 - - CD-- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`:                {slot: "green", latency: ms},
		start + `shop_green/s1 0/0/0/-1/4 -1 0 - - CH-- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`:                 {slot: "green", latency: -1},
		start + `shop/<NOSRV> 0/-1/-1/-1/0 200 80 - - LR-- 1/1/0/0/0 0/0 "GET /.turnout/shop HTTP/1.1"`: nil,
		start + `other_green/s1 0/0/0/1/4 200 99 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`:               nil,
		"": nil,
	} {
		got, ok := site.parseEvent(line)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%q: %+v %t, want %+v", line, got, ok, want)
		}
	}
}

// Whatever stands in a log, nothing breaks, and every latency has a bucket.
func FuzzRequestLines(f *testing.F) {
	f.Add("green 200 - 0.001, 0.002")
	f.Add("green 200 - 1e300")
	f.Add(`127.0.0.1:1 [x] shop shop_green/s1 0/0/0/99999999999/15 200 123 - - ---- 1/1/0/0/0 0/0 {1|green} "GET / HTTP/1.1"`)
	f.Add("green:10")
	f.Add("green:010")
	site := exampleSite(HAProxy)
	f.Fuzz(func(t *testing.T, line string) {
		counted := Counted{Slots: site.slots()}
		for _, parse := range []func(string) (served, bool){parseLogged, site.parseEvent} {
			if r, ok := parse(line); ok {
				counted.add(r)
			}
		}
		if word, err := site.parseWord(line); err == nil && site.word(word) != line {
			t.Errorf("%q is read as %v, which is written %q", line, word, site.word(word))
		}
		if p, err := parseLogPlace(line); err == nil && p.offset < 0 {
			t.Errorf("%q is the place %v", line, p)
		}
	})
}
