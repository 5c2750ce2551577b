//go:build unix

package hub_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gorilla/websocket"
)

// TestKeepalive: where the hub has a heartbeat the kernel sends no probes of its own.
func TestKeepalive(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy heartbeat.Policy
		tls    bool
		want   bool
	}{
		{"heartbeat", heartbeat.Default(), false, false},
		{"heartbeat over TLS", heartbeat.Default(), true, false},
		{"no heartbeat", heartbeat.Disabled(), false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := hub.New(hub.WithHeartbeat(tt.policy))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = h.Close() }()
			accepted := make(chan net.Conn, 1)
			s := httptest.NewUnstartedServer(h)
			s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				accepted <- c
				return ctx
			}
			start := s.Start
			if tt.tls {
				start = s.StartTLS
			}
			start()
			defer s.Close()
			d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			ws, resp, err := d.Dial("ws"+strings.TrimPrefix(s.URL, "http"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ws.Close() }()
			_ = resp.Body.Close()
			c := <-accepted
			if tc, ok := c.(*tls.Conn); ok {
				c = tc.NetConn()
			}
			raw, err := c.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			on := -1
			if err := raw.Control(func(fd uintptr) {
				on, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
			}); err != nil {
				t.Fatal(err)
			}
			if on < 0 || (on != 0) != tt.want {
				t.Errorf("SO_KEEPALIVE is %d", on)
			}
		})
	}
}
