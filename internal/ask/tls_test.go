package ask_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/deploy-action/internal/ask"
	"github.com/org/deploy-action/internal/value"
)

// TestTLS asks a server whose certificate is good for example.com and 127.0.0.1.
func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Host)) }))
	defer server.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", roots) // read once in a process, and no other test needs roots
	address := value.Address(strings.TrimPrefix(server.URL, "https://"))
	for _, host := range []string{"example.com", "example.com:443", ""} {
		answer, err := ask.HTTP(t.Context(), ask.Question{Address: address, Host: host, Path: "/", TLS: ask.Verified, Limit: 100})
		if err != nil || answer.Status != 200 || host != "" && string(answer.Body) != host {
			t.Errorf("%q: %+v %v", host, answer, err)
		}
	}
	_, err := ask.HTTP(t.Context(), ask.Question{Address: address, Host: "shop.example.org", Path: "/", TLS: ask.Verified})
	if err == nil || !strings.Contains(err.Error(), "connected, but no TLS: ") || !strings.Contains(err.Error(), "shop.example.org") {
		t.Errorf("%v", err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	if _, err = ask.HTTP(t.Context(), ask.Question{Address: value.Address(strings.TrimPrefix(plain.URL, "http://")), Path: "/", TLS: ask.Verified}); err == nil {
		t.Error("a server without TLS was taken for one")
	}
}
