package hub_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/preflight"
)

// TestEvictingListenerOptions: the limit and the reserve are those of package preflight.
func TestEvictingListenerOptions(t *testing.T) {
	testenv.NoLeaks(t)
	limit := func(n uint64) preflight.Option { return preflight.WithDescriptorLimit(n, n) }
	for _, tt := range []struct {
		name  string
		opts  []preflight.Option
		taken bool
	}{
		{"no limit", []preflight.Option{limit(1 << 62)}, true},
		{"many descriptors", []preflight.Option{limit(1 << 20)}, true},
		{"none", []preflight.Option{limit(1)}, false},
		{"all in the reserve", []preflight.Option{limit(1 << 20), preflight.WithReserve(2 << 20)}, false},
	} {
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln, err := hub.NewEvictingListener(inner, tt.opts...)
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan error, 1)
		go func() {
			c, err := ln.Accept()
			if err == nil {
				if _, ok := c.(*net.TCPConn); !ok {
					t.Errorf("%s: a %T", tt.name, c)
				}
				ln.ConnState(c, http.StateNew)
				_ = c.Close()
			}
			accepted <- err
		}()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
		answer, _ := io.ReadAll(c)
		_ = c.Close()
		if refused := strings.HasPrefix(string(answer), "HTTP/1.1 503 "); refused == tt.taken {
			t.Errorf("%s: answered %q", tt.name, answer)
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if err := <-accepted; (err == nil) != tt.taken || err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: Accept: %v", tt.name, err)
		}
		if _, refused := ln.Stats(); (refused == 0) != tt.taken {
			t.Errorf("%s: %d refused", tt.name, refused)
		}
	}
	if _, err := hub.NewEvictingListener(nil); err == nil {
		t.Error("a nil listener is accepted")
	}
	if _, err := hub.NewEvictingListener(&net.TCPListener{}, nil); !errors.Is(err, preflight.ErrOption) {
		t.Errorf("a nil option: %v", err)
	}
}
