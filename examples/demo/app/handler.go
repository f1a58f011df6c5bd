package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// handler serves the files in site and what a shop needs beside them.
func handler(config Config, slot, site string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(site)))
	mux.HandleFunc("GET /healthz", config.health)
	mux.HandleFunc("GET /slow", slow)
	mux.HandleFunc("GET /stream", stream)
	mux.HandleFunc("POST /upload", upload)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Arr", strconv.FormatInt(time.Now().UnixNano(), 10)) // when the request came
		w.Header().Set("X-Slot", slot)
		w.Header().Set("X-Release", config.Version)
		mux.ServeHTTP(w, r)
	})
}

// health says what the release says of itself.
func (c Config) health(w http.ResponseWriter, _ *http.Request) {
	if !c.Healthy {
		http.Error(w, `{"status":"the database of `+c.Version+` is missing"}`, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, `{"status":"ok","version":%q}`+"\n", c.Version)
}

// slow is the report that takes 5 s.
func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(5 * time.Second):
		fmt.Fprintln(w, "report")
	case <-r.Context().Done():
	}
}

// stream is the ticker: a line each 100 ms for 5 s.
func stream(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range 50 {
		fmt.Fprintln(w, i)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// upload takes a picture, and insists on all of it.
func upload(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil || n != r.ContentLength {
		http.Error(w, fmt.Sprintf("%d of %d bytes came: %v", n, r.ContentLength, err), http.StatusBadRequest)
		return
	}
	fmt.Fprintln(w, n)
}
