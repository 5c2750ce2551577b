package door

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestUnfit(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close() //nolint:errcheck // nobody came
	http2 := new(http.Protocols)
	http2.SetUnencryptedHTTP2(true)
	for _, tt := range []struct {
		srv  *http.Server
		l    net.Listener
		want string
	}{
		{&http.Server{}, tcp, ""},
		{&http.Server{BaseContext: func(net.Listener) context.Context { return context.Background() }}, tcp, ""},
		{&http.Server{}, struct{ net.Listener }{tcp}, "*net.TCPListener"},
		{&http.Server{}, tls.NewListener(tcp, nil), "*net.TCPListener"},
		{&http.Server{ConnState: func(net.Conn, http.ConnState) {}}, tcp, "ConnState"},
		{&http.Server{ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return ctx }}, tcp, "ConnContext"},
		{&http.Server{TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}, tcp, "TLSNextProto"},
		{&http.Server{DisableGeneralOptionsHandler: true}, tcp, "OPTIONS"},
		{&http.Server{Protocols: http2}, tcp, "HTTP/1"},
	} {
		got := Unfit(tt.srv, tt.l)
		if !supported {
			tt.want = "Linux"
		}
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
