package client_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/client"
)

// certificateVar tells TestProxyChild that it is the child of TestProxy, and whom to trust.
const certificateVar = "HUBKIT_TEST_CERTIFICATE"

// TestProxy: a proxy that the environment names carries ws and wss. The environment is read once in a process, so that the
// client runs in another.
func TestProxy(t *testing.T) {
	s := newServer(t)
	secure := httptest.NewTLSServer(s)
	t.Cleanup(secure.Close)
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = proxy.Close(); wg.Wait() })
	asked := make(chan string, 10)
	wg.Go(func() {
		for {
			conn, err := proxy.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { carry(t, conn, asked, s, secure) })
		}
	})
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyChild$", "-test.v")
	child.Env = append(os.Environ(), "HTTPS_PROXY=http://"+proxy.Addr().String(), "HTTP_PROXY=http://"+proxy.Addr().String(),
		"NO_PROXY=", certificateVar+"="+string(certificate))
	ended := make(chan []byte, 1)
	go func() {
		out, err := child.CombinedOutput()
		if err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
		ended <- out
	}()
	for _, want := range []string{"example.com:80", "example.com:443", "example.com:8443"} {
		p, _ := s.greet()
		p.goodbye()
		if got := receive(t, asked); got != want {
			t.Errorf("the proxy is asked for %s, want %s", got, want)
		}
	}
	receive(t, ended)
}

// carry does as a proxy does, to the server of the test.
func carry(t *testing.T, conn net.Conn, asked chan<- string, s *server, secure *httptest.Server) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	if errors.Is(err, io.EOF) { // the child ended while its client was about to try again
		return
	}
	if err != nil || req.Method != http.MethodConnect {
		t.Errorf("the proxy got %v, %v", req, err)
		return
	}
	select {
	case asked <- req.RequestURI:
	default: // the child tries for as long as it runs
	}
	to := secure.Listener.Addr().String()
	if strings.HasSuffix(req.RequestURI, ":80") {
		to = strings.TrimPrefix(s.url, "ws://")
	}
	back, err := net.Dial("tcp", to)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = back.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(conn, back)
		_ = conn.Close()
	}()
	_, _ = io.Copy(back, r)
}

func TestProxyChild(t *testing.T) {
	certificate := os.Getenv(certificateVar)
	if certificate == "" {
		return
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM([]byte(certificate)) {
		t.Fatal("no certificate")
	}
	for _, url := range []string{"ws://example.com/ws", "wss://example.com/ws", "wss://example.com:8443/ws"} {
		states, onState := collect[client.State](100)
		c := newClient(t, url, client.OnState(onState), client.WithTLS(&tls.Config{RootCAs: trusted}))
		r := run(t, c)
		if st := awaitStatus(t, states, client.Connected); st.Conn != "c1" {
			t.Errorf("%s: %+v", url, st)
		}
		r.cancel()
		_ = r.end()
	}
	// Without the certificate the server is not trusted.
	states, onState := collect[client.State](100)
	run(t, newClient(t, "wss://example.com/ws", client.OnState(onState)))
	var unknown x509.UnknownAuthorityError
	if st := awaitStatus(t, states, client.Disconnected); !errors.As(st.Err, &unknown) {
		t.Errorf("state is %+v", st)
	}
}
