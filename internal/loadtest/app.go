// Package loadtest is an HTTP/1.1 client that hides nothing, and an application
// to ask. It never retries: what fails once is a failed request, as it is for a
// client that must not send a POST twice.
//
// It serves tests, benchmarks and the demo. Nothing that ships imports it.
package loadtest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Headers by which an application says who answered and when the request came.
const (
	SlotHeader    = "X-Slot"
	ReleaseHeader = "X-Release"
	ArrivedHeader = "X-Arr" // nanoseconds since 1970
)

// Lengths of the slow answers.
const (
	SlowTime   = 5 * time.Second
	streamTime = 5 * time.Second
	streamStep = 100 * time.Millisecond
)

// App is an application that answers in the name of slot: "/" at once, "/slow"
// after SlowTime, "/stream" in chunks over 5 s, and "/upload" once it has read
// the whole request.
func App(slot string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, slot) })
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/upload", upload)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(ArrivedHeader, strconv.FormatInt(time.Now().UnixNano(), 10))
		w.Header().Set(SlotHeader, slot)
		mux.ServeHTTP(w, r)
	})
}

func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(SlowTime):
		fmt.Fprintln(w, "at last")
	case <-r.Context().Done():
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	step := time.NewTicker(streamStep)
	defer step.Stop()
	for range streamTime / streamStep {
		fmt.Fprintln(w, "and on")
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-step.C:
		case <-r.Context().Done():
			return
		}
	}
}

func upload(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil || n != r.ContentLength {
		http.Error(w, fmt.Sprintf("%d of %d bytes came: %v", n, r.ContentLength, err), http.StatusBadRequest)
		return
	}
	fmt.Fprintln(w, n)
}
