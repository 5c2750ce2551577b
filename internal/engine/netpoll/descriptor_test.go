package netpoll

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
)

// pair returns both ends of a connection, which the test closes.
func pair(t testing.TB, network string) (a, b net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "socket")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if a, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.Close()
		_ = b.Close()
	})
	return a, b
}

// wrapped hides what a connection is.
type wrapped struct{ net.Conn }

func TestDescriptor(t *testing.T) {
	tcp, _ := pair(t, "tcp")
	unix, _ := pair(t, "unix")
	pipe, end := net.Pipe()
	defer func() { _ = pipe.Close() }()
	defer func() { _ = end.Close() }()
	closed, _ := pair(t, "tcp")
	_ = closed.Close()
	for _, tt := range []struct {
		name string
		conn net.Conn
		want bool // plain
	}{
		{"TCP", tcp, Supported},
		{"Unix", unix, Supported},
		{"TLS", tls.Client(tcp, &tls.Config{ServerName: "example.com"}), false},
		{"wrapped", wrapped{tcp}, false},
		{"pipe", pipe, false},
		{"closed", closed, false},
		{"nil", nil, false},
	} {
		beneath := tt.name == "TLS" && Supported
		if fd, plain := Descriptor(tt.conn); plain != tt.want || (plain || beneath) != (fd >= 0) {
			t.Errorf("%s: %d, %v; want %v", tt.name, fd, plain, tt.want)
		}
	}
}
