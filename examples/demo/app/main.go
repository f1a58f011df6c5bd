// Shop is the application that the demo deploys. It serves the site of its
// release and says with each answer who gave it.
//
// It finds its release in the working directory and its address in TURNOUT_PORT
// or TURNOUT_SOCKET. SIGTERM has it finish what it has begun.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// lastRequests is how long requests under way may still take after SIGTERM.
const lastRequests = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatalf("shop: %v", err)
	}
}

func run(ctx context.Context) error {
	config, err := readConfig("config.json")
	if err != nil {
		return err
	}
	listener, err := listen(os.Getenv("TURNOUT_SOCKET"), os.Getenv("TURNOUT_PORT"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(config, os.Getenv("TURNOUT_SLOT"), "site"), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	log.Printf("shop %s: serving on %s", config.Version, listener.Addr())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), lastRequests)
	defer cancel()
	return server.Shutdown(last)
}

// Config is config.json, which comes with each release.
type Config struct {
	Version string `json:"version"`
	Healthy bool   `json:"healthy"` // what /healthz says
}

func readConfig(path string) (Config, error) {
	var config Config
	data, err := os.ReadFile(path)
	if err != nil {
		return config, err
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return config, fmt.Errorf("%s: %w", path, err)
	}
	if config.Version == "" {
		return config, errors.New(path + ": has no version")
	}
	return config, nil
}

func listen(socket, port string) (net.Listener, error) {
	if socket == "" {
		return net.Listen("tcp", "127.0.0.1:"+port)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", socket)
}
