package door

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// FuzzJudge: what the door takes for a handshake, net/http passes to a handler as the same request, byte for byte of what a handler
// sees; and there is nothing in it that is a second request for anybody. What begins it is never taken for anything else.
func FuzzJudge(f *testing.F) {
	for _, s := range corpus {
		f.Add([]byte(s))
		f.Add([]byte(strings.ReplaceAll(s, ": ", ":")))
	}
	l := &pipes{make(chan net.Conn), make(chan struct{})}
	srv := &http.Server{Handler: http.HandlerFunc(recorder)}
	go srv.Serve(l) //nolint:errcheck // it is closed
	f.Cleanup(func() { _ = srv.Close() })
	f.Fuzz(func(t *testing.T, p []byte) {
		v, end := judge(p)
		if v != handshake || len(p) > maxHead {
			return
		}
		head := p[:end]
		if bytes.Count(head, []byte("\r\n\r\n")) != 1 || bytes.Count(head, []byte("\n")) != bytes.Count(head, []byte("\r\n")) ||
			bytes.Count(head, []byte("\r")) != bytes.Count(head, []byte("\n")) {
			t.Fatalf("two readings of where lines end: %q", head)
		}
		for n := range head {
			if n > 0 && lengthens(head[:n], 1) && bytes.ContainsAny(head[n-1:n], "\r\n") {
				t.Fatalf("%.300q only lengthens a line", head[:n])
			}
			if v, _ := judge(head[:n]); v != unfinished {
				t.Fatalf("%.300q is %d, and with %.300q a handshake", head[:n], v, head[n:])
			}
		}
		x := &exchange{door: &door{srv: srv}, head: &head, headEnd: end}
		r, err := x.request()
		own := httptest.NewRecorder()
		if err == nil {
			recorder(own, r)
		}

		server, client := net.Pipe()
		defer client.Close() //nolint:errcheck // it was read
		_ = client.SetDeadline(time.Now().Add(patience))
		l.conns <- server
		go func() { _, _ = client.Write(head) }() // it reads as it likes
		res, failed := answer(client)
		if failed != nil {
			t.Fatalf("net/http: %v", failed)
		}
		_, body, _ := strings.Cut(res, "utf-8\"]\n")
		switch {
		case err != nil && strings.HasPrefix(res, "200"):
			t.Fatalf("%q: %v, and net/http accepts it", head, err)
		case err == nil && (!strings.HasPrefix(res, "200") || body != own.Body.String()):
			t.Fatalf("%q:\n%s\nnet/http:\n%s", head, own.Body, res)
		}
	})
}
