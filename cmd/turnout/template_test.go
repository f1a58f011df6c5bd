package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/org/deploy-action/internal/proxy"
	"github.com/org/deploy-action/internal/proxy/proxytest"
)

// TestDocumentedTemplate deploys with the template that docs/templates.md shows,
// TLS and all; then the certificate goes, and a deploy that needs a reload must
// leave what serves alone.
func TestDocumentedTemplate(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxy.NGINX)
	port := proxytest.FreePort(t)
	s.write("shop.tmpl", strings.NewReplacer(
		"listen 443 ssl", fmt.Sprintf("listen 127.0.0.1:%d ssl", port),
		"/etc/ssl/shop.pem", s.dir+"/shop.pem", "/etc/ssl/private/shop.key", s.dir+"/shop.key",
		"server_name {{.Hostname}}", "server_name shop.test",
	).Replace(documentedTemplate(t)))
	s.edit(`error_log =`, `template = "shop.tmpl"`+"\n    error_log =")
	s.writeCertificate()

	s.run(0, "deploy", "-release", s.release("v1"))
	s.run(0, "deploy", "-release", s.release("v2"))
	if got := getTLS(t, int(port)); got != "v2" {
		t.Errorf("over TLS: %q", got)
	}

	if err := os.Remove(filepath.Join(s.dir, "shop.pem")); err != nil {
		t.Fatal(err)
	}
	s.edit(`template = "shop.tmpl"`, `template = "other.tmpl"`)
	text, err := os.ReadFile(filepath.Join(s.dir, "shop.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("other.tmpl", string(text)+"# changed\n")
	if got := s.run(1, "deploy", "-release", s.release("v3")); !strings.Contains(got, "shop.pem") {
		t.Errorf("a certificate that is not there:\n%s", got)
	}
	if got := getTLS(t, int(port)); got != "v2" {
		t.Errorf("over TLS after the refusal: %q", got)
	}

	s.write("other.tmpl", "server {\n  listen {{.Bind}};\n  {{.Nonsense}}\n}\n")
	if got := s.run(1, "deploy", "-release", "v3"); !strings.Contains(got, "other.tmpl") {
		t.Errorf("a template that is broken:\n%s", got)
	}
	s.serves("v2")
}

// documentedTemplate is the example of docs/templates.md.
func documentedTemplate(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/templates.md")
	match := regexp.MustCompile("(?ms)^```\n(.*?)^```$").FindSubmatch(text)
	if err != nil || match == nil {
		t.Fatalf("no template in docs/templates.md: %v", err)
	}
	return string(match[1])
}

// edit replaces a text of the site's spec.
func (s *site) edit(old, new string) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "deploy.hcl"))
	if err != nil || !strings.Contains(string(text), old) {
		s.t.Fatalf("deploy.hcl has no %q: %v", old, err)
	}
	s.write("deploy.hcl", strings.Replace(string(text), old, new, 1))
}

func (s *site) writeCertificate() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"shop.test"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("shop.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	s.write("shop.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func getTLS(t *testing.T, port int) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	response, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/", port))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
