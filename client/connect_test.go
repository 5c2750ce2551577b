package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func TestHelloAndStates(t *testing.T) {
	s := newServer(t)
	states, onState := collect[client.State](100)
	c := newClient(t, s.url, client.OnState(onState),
		client.WithHeader(http.Header{"X-Test": {"yes"}}))
	r := run(t, c)

	p := s.accept()
	if got := p.header.Get("X-Test"); got != "yes" {
		t.Errorf("X-Test header is %q", got)
	}
	if got := p.header.Get("Authorization"); got != "" {
		t.Errorf("Authorization header is %q without a token", got)
	}
	if hello := p.want(protocol.OpHello); hello.Session != "" || hello.Token != "" || hello.Resume != nil {
		t.Errorf("first hello is %+v", hello)
	}
	p.send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c7", Node: "n3", Session: "s9", Data: []byte(`{"v":1}`)}))
	p.send(protocol.AppendStale(nil))
	p.send([]byte(`{"op":"of a later version"}`))
	p.send(protocol.AppendLive(nil))
	for _, want := range []client.Status{client.Connecting, client.Connected, client.Stale, client.Live} {
		st := receive(t, states)
		if st.Status != want {
			t.Fatalf("state is %v, want %v", st.Status, want)
		}
		if want == client.Connected && (st.Conn != "c7" || st.Node != "n3" || string(st.Data) != `{"v":1}`) {
			t.Errorf("connected: %+v", st)
		}
	}
	p.cut()
	if st := receive(t, states); st.Status != client.Disconnected || st.Err == nil || st.Wait > time.Millisecond {
		t.Errorf("state after the cut is %+v", st)
	}
	p, hello := s.greet()
	if hello.Session != "s9" {
		t.Errorf("session of the second hello is %q", hello.Session)
	}
	awaitStatus(t, states, client.Connected)
	r.cancel()
	if code := p.goodbye(); code != websocket.CloseNormalClosure {
		t.Errorf("client closed with %d", code)
	}
	if err := r.end(); !errors.Is(err, context.Canceled) {
		t.Error("Run returned", err)
	}
	var last client.State
	for len(states) > 0 {
		last = <-states
	}
	if last.Status != client.Closed || !errors.Is(last.Err, context.Canceled) {
		t.Errorf("last state is %+v", last)
	}
}

func TestTokenAnewAtEachConnect(t *testing.T) {
	s := newServer(t)
	n := 0
	r := run(t, newClient(t, s.url, client.WithToken(func(ctx context.Context) (string, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the token function's context has no deadline")
		}
		if n++; n == 2 {
			return "", errors.New("the token service is down")
		}
		return fmt.Sprint("t", n), nil
	})))
	for _, want := range []string{"t1", "t3", "t4"} {
		p, hello := s.greet()
		if got := p.header.Get("Authorization"); hello.Token != want || got != "Bearer "+want {
			t.Errorf("token is %q, header %q, want %q", hello.Token, got, want)
		}
		p.cut()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTokenHeaderIsNotReplaced(t *testing.T) {
	s := newServer(t)
	run(t, newClient(t, s.url, client.WithHeader(http.Header{"Authorization": {"Basic eA=="}}),
		client.WithToken(func(context.Context) (string, error) { return "t", nil })))
	p := s.accept()
	if got := p.header["Authorization"]; !slices.Equal(got, []string{"Basic eA=="}) {
		t.Errorf("Authorization header is %q", got)
	}
}

func TestPermanentTokenErrorEndsRun(t *testing.T) {
	s := newServer(t)
	gone := errors.New("no such user")
	r := run(t, newClient(t, s.url, client.WithToken(func(context.Context) (string, error) {
		return "", backoff.Permanent(gone)
	})))
	if err := r.end(); !errors.Is(err, gone) {
		t.Error("Run returned", err)
	}
}

func TestTerminalCloseCodes(t *testing.T) {
	codes := []protocol.CloseCode{1000, 1002, 1003, 1008, 1009, 3000, 4100, 4101, 4102, 4103, 4104, 4199, 4200, 4999}
	for _, code := range codes {
		t.Run(code.String(), func(t *testing.T) {
			s := newServer(t)
			r := run(t, newClient(t, s.url))
			p, _ := s.greet()
			p.close(code, "because")
			err := r.end()
			var e *client.CloseError
			if !errors.As(err, &e) || e.Code != code || e.Reason != "because" {
				t.Errorf("Run returned %v", err)
			}
			if _, err := r.Publish(t.Context(), "r", []byte("1")); !errors.Is(err, client.ErrClosed) ||
				!errors.Is(err, net.ErrClosed) || !errors.As(err, &e) {
				t.Errorf("Publish afterwards returned %v", err)
			}
		})
	}
}

func TestReconnectCloseCodes(t *testing.T) {
	s := newServer(t)
	states, onState := collect[client.State](1000)
	run(t, newClient(t, s.url, client.OnState(func(st client.State) {
		if st.Status == client.Disconnected {
			onState(st)
		}
	})))
	for _, code := range []protocol.CloseCode{1001, 1011, 1012, 1013, 4000, 4001, 4002, 4003, 4009, 4099} {
		p, _ := s.greet()
		p.close(code, "")
		var e *client.CloseError
		if st := receive(t, states); !errors.As(st.Err, &e) || e.Code != code {
			t.Errorf("close with %v: disconnected by %v", code, st.Err)
		}
	}
	s.greet()
}

// TestCloseBeforeWelcome is what a hub does that admits nobody, or knows the client not.
func TestCloseBeforeWelcome(t *testing.T) {
	s := newServer(t)
	r := run(t, newClient(t, s.url))
	p := s.accept()
	p.want(protocol.OpHello)
	p.refuse(protocol.CloseTryAgainLater)
	p = s.accept()
	p.want(protocol.OpHello)
	p.fail(0, "", &protocol.Error{Code: protocol.CodeUnauthorized, Message: "who?"})
	p.cut()
	var e *client.CloseError
	if err := r.end(); !errors.As(err, &e) || e.Code != protocol.CloseUnauthorized {
		t.Error("Run returned", err)
	}
}

func TestHandshakeRefused(t *testing.T) {
	token := client.WithToken(func(context.Context) (string, error) { return "t", nil })
	tests := []struct {
		name   string
		status []int // of the answers, one after the other
		opts   []client.Option
		final  int // what ends Run; zero where it connects in the end
	}{
		{"401", []int{401}, nil, 401},
		{"401 with a token, once", []int{401}, []client.Option{token}, 0},
		{"401 with a token, twice", []int{401, 401}, []client.Option{token}, 401},
		{"403", []int{403}, []client.Option{token}, 403},
		{"404, 500, 502, 503, 429", []int{404, 500, 502, 503, 429}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			answers := make(chan int, len(tt.status))
			for _, code := range tt.status {
				answers <- code
			}
			s.answer(func(w http.ResponseWriter, _ *http.Request) bool {
				select {
				case code := <-answers:
					w.WriteHeader(code)
					return true
				default:
					return false
				}
			})
			r := run(t, newClient(t, s.url, tt.opts...))
			if tt.final == 0 {
				s.greet()
				return
			}
			var e *client.HandshakeError
			if err := r.end(); !errors.As(err, &e) || e.StatusCode != tt.final {
				t.Errorf("Run returned %v, want status %d", err, tt.final)
			}
			if len(answers) != 0 {
				t.Errorf("gave up %d tries early", len(answers))
			}
		})
	}
}

// TestBrokenServers has the client meet what is no hub, and come back.
func TestBrokenServers(t *testing.T) {
	s := newServer(t)
	states, onState := collect[client.State](1000)
	run(t, newClient(t, s.url, client.WithReadLimit(1000), client.OnState(func(st client.State) {
		if st.Status == client.Disconnected {
			onState(st)
		}
	})))
	want := func(what string) {
		t.Helper()
		if st := receive(t, states); !errors.Is(st.Err, client.ErrProtocol) {
			t.Errorf("%s: disconnected by %v", what, st.Err)
		}
	}

	p := s.accept()
	p.want(protocol.OpHello)
	p.message("r", "1", client.Position{})
	want("message before welcome")

	p = s.accept()
	p.want(protocol.OpHello)
	p.send([]byte("Hello, stranger"))
	want("no JSON before welcome")

	breaks := []struct {
		what string
		kind int
		data string
		code int
	}{
		{"no JSON", websocket.TextMessage, `{"op":`, websocket.CloseProtocolError},
		{"no op", websocket.TextMessage, `{}`, websocket.CloseProtocolError},
		{"broken field", websocket.TextMessage, `{"op":"ok","id":-1}`, websocket.CloseProtocolError},
		{"binary", websocket.BinaryMessage, "\x00", websocket.CloseUnsupportedData},
		{"text that is not UTF-8", websocket.TextMessage, "{\"op\":\"message\",\"data\":\"\xff\"}", websocket.CloseInvalidFramePayloadData},
		{"no JSON and not UTF-8", websocket.TextMessage, "\xff", websocket.CloseInvalidFramePayloadData},
	}
	for _, b := range breaks {
		p, _ := s.greet()
		if err := p.ws.WriteMessage(b.kind, []byte(b.data)); err != nil {
			t.Fatal(err)
		}
		if code := p.goodbye(); code != b.code {
			t.Errorf("%s: client closed with %d, want %d", b.what, code, b.code)
		}
		want(b.what)
	}
	s.greet()
}

func TestServerWithoutTheSubprotocol(t *testing.T) {
	s := newServer(t)
	s.anonymous = true
	states, onState := collect[client.State](100)
	run(t, newClient(t, s.url, client.WithBackoff(backoff.Default()), client.OnState(onState)))
	if st := receive(t, states); st.Status != client.Connecting {
		t.Fatalf("state is %+v", st)
	}
	if st := receive(t, states); st.Status != client.Disconnected || !errors.Is(st.Err, client.ErrProtocol) {
		t.Errorf("state is %+v", st)
	}
}

func TestServerRestartsOnItsPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, url: "ws://" + ln.Addr().String(), peers: make(chan *peer, 1000), patience: patience}
	stop := s.serve(ln)
	states, onState := collect[client.State](1 << 20)
	c := newClient(t, s.url, client.OnState(onState))
	got, f := collect[client.Message](10)
	if _, err := c.Subscribe("r", f); err != nil {
		t.Fatal(err)
	}
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "r", at(1))
	p.message("r", `"before"`, at(2))
	if m := receive(t, got); string(m.Data) != `"before"` {
		t.Fatalf("got %s", m.Data)
	}
	stop()
	p.cut()
	for n := 0; n < 3; { // three tries in vain
		if receive(t, states).Status == client.Disconnected {
			n++
		}
	}
	if ln, err = net.Listen("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	s.serve(ln)
	p, hello := s.greet()
	if !slices.Equal(hello.Resume, []room{{"r", at(2)}}) {
		t.Errorf("hello resumes %v", hello.Resume)
	}
	p.ok(0, "r", at(2))
	p.message("r", `"after"`, at(3))
	if m := receive(t, got); string(m.Data) != `"after"` {
		t.Errorf("got %s", m.Data)
	}
}

func TestTLSAndCompression(t *testing.T) {
	s := newServer(t)
	s.compress = true
	secure := httptest.NewTLSServer(s)
	t.Cleanup(secure.Close)
	config := secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = nil
	c := newClient(t, "wss"+strings.TrimPrefix(secure.URL, "https"), client.WithTLS(config), client.WithCompression())
	got, f := collect[client.Message](10)
	if _, err := c.Subscribe("r", f); err != nil {
		t.Fatal(err)
	}
	run(t, c)
	p, _ := s.greet()
	if ext := p.header.Get("Sec-Websocket-Extensions"); !strings.Contains(ext, "permessage-deflate") {
		t.Errorf("extensions offered are %q", ext)
	}
	p.ws.EnableWriteCompression(true)
	p.ok(0, "r", client.Position{})
	data := `"` + strings.Repeat("x", 100_000) + `"`
	p.message("r", data, client.Position{})
	if m := receive(t, got); string(m.Data) != data {
		t.Errorf("got %d bytes, want %d", len(m.Data), len(data))
	}
	pub, err := c.PublishAsync("r", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	q := p.want(protocol.OpPublish)
	if q.Data != data {
		t.Errorf("server got %d bytes, want %d", len(q.Data), len(data))
	}
	p.ok(q.ID, "r", client.Position{})
	if _, err := pub.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	// A bomb is measured after it has gone off.
	p.message("r", `"`+strings.Repeat("x", 2<<20)+`"`, client.Position{})
	if code := p.goodbye(); code != websocket.CloseMessageTooBig {
		t.Errorf("client closed with %d", code)
	}
}
