package docs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// TestDeploy has the programs that deploy/ is for check its files. Certificates, and the binary, are ones that exist here.
func TestDeploy(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("the files of deploy/ are for Linux, and checked there")
		return
	}
	crt, key := certificate(t)
	dir := t.TempDir()
	here := strings.NewReplacer(
		"/etc/ssl/hub/tls.crt", crt, "/etc/ssl/hub/tls.key", key, "/etc/ssl/hub/hub.pem", crt,
		"/usr/local/bin/hub", "/bin/true", "listen 443", "listen 127.0.0.1:44300", "bind :443", "bind 127.0.0.1:44300",
	)
	file := func(name string) string {
		text, err := os.ReadFile("../../deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(out, []byte(here.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		return out
	}
	main := filepath.Join(dir, "nginx.conf")
	conf := "pid " + dir + "/pid; error_log stderr; events {} http { access_log off; include " + file("nginx/hub.conf") + "; }\n"
	if err := os.WriteFile(main, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"systemd-analyze", "verify", "--man=no", file("systemd/hub.service")},
		{"nginx", "-t", "-q", "-p", dir, "-c", main},
		{"haproxy", "-c", "-q", "-f", file("haproxy/haproxy.cfg")},
	} {
		t.Run(c[0], func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), testenv.RequireTool(t, c[0]), c[1:]...).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %v\n%s", c, err, out)
			}
		})
	}
}

// certificate writes a certificate, with its key for those who want both in one file, and the key.
func certificate(t *testing.T) (crt, key string) {
	t.Helper()
	dir := t.TempDir()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hub.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, &about, &about, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), keyPEM...)
	crt, key = filepath.Join(dir, "hub.pem"), filepath.Join(dir, "hub.key")
	for name, text := range map[string][]byte{crt: both, key: keyPEM} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return crt, key
}
