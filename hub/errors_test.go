package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

func TestErrors(t *testing.T) {
	long := strings.Repeat("r", 256)
	tests := []struct {
		name, send string
		id         uint64
		code       protocol.ErrorCode
	}{
		{"not JSON", `nonsense`, 0, protocol.CodeBadRequest},
		{"empty", ``, 0, protocol.CodeBadRequest},
		{"not an object", `[1]`, 0, protocol.CodeBadRequest},
		{"no op", `{"id":3}`, 3, protocol.CodeBadRequest},
		{"op of the wrong type", `{"id":3,"op":1}`, 3, protocol.CodeBadRequest},
		{"broken after the id", `{"id":3,"op":"ping",`, 3, protocol.CodeBadRequest},
		{"negative id", `{"id":-3,"op":"ping"}`, 0, protocol.CodeBadRequest},
		{"id of the wrong type", `{"id":"3","op":"ping"}`, 0, protocol.CodeBadRequest},
		{"data too deep", `{"op":"send","id":3,"data":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, 3, protocol.CodeBadRequest},
		{"unknown op", `{"op":"dance","id":3}`, 3, protocol.CodeUnknownOp},
		{"server's op", `{"op":"welcome","id":3}`, 3, protocol.CodeUnknownOp},
		{"hello of a plain client", `{"op":"hello","id":3}`, 3, protocol.CodeBadRequest},
		{"join without room", `{"op":"join","id":3}`, 3, protocol.CodeBadRequest},
		{"join empty room", `{"op":"join","id":3,"room":""}`, 3, protocol.CodeBadRoom},
		{"join long name", `{"op":"join","id":3,"room":"` + long + `"}`, 3, protocol.CodeBadRoom},
		{"join control character", `{"op":"join","id":3,"room":"a\u0007"}`, 3, protocol.CodeBadRoom},
		{"publish to long name", `{"op":"publish","id":3,"room":"` + long + `","data":1}`, 3, protocol.CodeBadRoom},
		{"publish without data", `{"op":"publish","id":3,"room":"a"}`, 3, protocol.CodeBadRequest},
		{"publish with empty key", `{"op":"publish","id":3,"room":"a","data":1,"key":""}`, 3, protocol.CodeBadRequest},
		{"offset without epoch", `{"op":"join","id":3,"room":"past:a","offset":4}`, 3, protocol.CodeBadRequest},
		{"history too large", `{"op":"join","id":3,"room":"past:a","history":2147483648}`, 3, protocol.CodeBadRequest},
		{"history in a room without", `{"op":"join","id":3,"room":"a","history":1}`, 3, protocol.CodeNoHistory},
		{"position in a room without history", `{"op":"join","id":3,"room":"a","epoch":"e","offset":1}`, 3, protocol.CodeNoHistory},
		{"leave unknown room", `{"op":"leave","id":3,"room":"a"}`, 3, protocol.CodeUnknownRoom},
		{"presence of unknown room", `{"op":"presence","id":3,"room":"here:a"}`, 3, protocol.CodeUnknownRoom},
		{"presence without id", `{"op":"presence","room":"here:a"}`, 0, protocol.CodeBadRequest},
		{"presence of a room without", `{"op":"presence","id":3,"room":"joined"}`, 3, protocol.CodeNoPresence},
		{"call without id", `{"op":"call","method":"echo"}`, 0, protocol.CodeBadRequest},
		{"call without method", `{"op":"call","id":3}`, 3, protocol.CodeBadRequest},
		{"call of unknown method", `{"op":"call","id":3,"method":"dance"}`, 3, protocol.CodeUnknownMethod},
		{"send without data", `{"op":"send","id":3}`, 3, protocol.CodeBadRequest},
	}
	overEach(t, func(t *testing.T, tr transport) {
		s := protocolServer(t, tr)
		check := s.bystander(t, "joined")
		c := s.dial(t)
		c.ask(`{"op":"join","id":1,"room":"joined"}`)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				r := c.ask(tt.send)
				if r.Op != "error" || r.ID != tt.id || r.Code != string(tt.code) || r.Message == "" {
					t.Errorf("got %+v, want error %s for %d", r, tt.code, tt.id)
				}
				c.alive()
			})
		}
		check()
	})
}

func TestSecondHello(t *testing.T) {
	s := start(t)
	c := s.dialV1(t, `{"op":"hello","id":1}`)
	if r := c.ask(`{"op":"hello","id":2}`); r.Op != "error" || r.ID != 2 || r.Code != "bad_request" {
		t.Errorf("got %+v", r)
	}
	c.alive()
}

// TestTokenWithoutVerifier: the op is answered as if it were not known, and the connection goes on.
func TestTokenWithoutVerifier(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"))
	c := s.dial(t)
	c.ask(`{"op":"join","id":1,"room":"r"}`)
	if r := c.ask(`{"op":"token","id":2,"token":"t"}`); r.Op != "error" || r.ID != 2 || r.Code != "unknown_op" {
		t.Errorf("got %+v", r)
	}
	c.alive()
}

func TestTooManyRooms(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithMaxRooms(2))
	c := s.dial(t)
	for i, want := range []string{"ok", "ok", "too_many_rooms"} {
		r := c.ask(fmt.Sprintf(`{"op":"join","id":1,"room":"r%d"}`, i))
		if r.Op != want && r.Code != want {
			t.Errorf("room %d: %+v, want %s", i, r, want)
		}
	}
	c.ask(`{"op":"leave","id":1,"room":"r0"}`)
	if r := c.ask(`{"op":"join","id":1,"room":"r2"}`); r.Op != "ok" {
		t.Errorf("after leaving one: %+v", r)
	}
}

// TestHandlerResults tells what a client hears of what a handler returns.
func TestHandlerResults(t *testing.T) {
	s := start(t)
	type in struct{ A, B int }
	s.Handle("sum", hub.Typed(func(_ context.Context, _ *hub.Conn, v in) (int, error) { return v.A + v.B, nil }))
	results := map[string]struct {
		v    any
		err  error
		want string
	}{
		"json":    {map[string]string{"a": "<"}, nil, `{"op":"ok","id":1,"data":{"a":"\u003c"}}`},
		"bytes":   {[]byte{1, 2}, nil, `{"op":"ok","id":1,"data":"AQI="}`},
		"nil":     {nil, nil, `{"op":"ok","id":1}`},
		"error":   {nil, errSecret, `{"op":"error","id":1,"code":"internal","message":"the handler failed"}`},
		"channel": {make(chan int), nil, `{"op":"error","id":1,"code":"internal","message":"the handler failed"}`},
		"own": {nil, errors.Join(errSecret, &hub.Error{Code: "sold_out", Message: "no more", RetryAfter: time.Second}),
			`{"op":"error","id":1,"code":"sold_out","message":"no more","retry_after_ms":1000}`},
	}
	for name, r := range results {
		s.Handle(name, func(context.Context, *hub.Conn, []byte) (any, error) { return r.v, r.err })
	}
	c := s.dial(t)
	for name, r := range results {
		c.write(`{"op":"call","id":1,"method":"` + name + `"}`)
		c.expect(r.want)
	}
	c.write(`{"op":"call","id":1,"method":"sum","data":{"A":2,"B":3}}`)
	c.expect(`{"op":"ok","id":1,"data":5}`)
	c.write(`{"op":"call","id":1,"method":"sum"}`)
	c.expect(`{"op":"ok","id":1,"data":0}`)
	if r := c.ask(`{"op":"call","id":1,"method":"sum","data":"five"}`); r.Code != "bad_request" {
		t.Errorf("data of the wrong type: %+v", r)
	}
	s.Handle("sum", nil)
	if r := c.ask(`{"op":"call","id":1,"method":"sum"}`); r.Code != "unknown_method" {
		t.Errorf("after its removal: %+v", r)
	}
}

// TestHandleFaults: what cannot be set is reported, and changes nothing.
func TestHandleFaults(t *testing.T) {
	s := start(t)
	answer := func(context.Context, *hub.Conn, []byte) (any, error) { return nil, nil }
	s.Handle("known", answer)
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"no name", s.Hub.Handle("", answer), `Handle "": the name is empty`},
		{"no name to remove", s.Hub.Handle("", nil), "the name is empty"},
		{"nil option", s.Hub.Handle("known", nil, hub.Heavy(), nil), `Handle "known": hub: invalid options: option 1 is nil`},
		{"nil option of a new one", s.Hub.Handle("new", answer, nil), "option 0 is nil"},
		{"a survey without a name", s.Hub.HandleSurvey("", nil), "HandleSurvey: the name is empty"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, tt.err, tt.want)
		}
	}
	c := s.dial(t)
	if r := c.ask(`{"op":"call","id":1,"method":"known"}`); r.Op != "ok" {
		t.Errorf("a method that was there before: %+v", r)
	}
	if r := c.ask(`{"op":"call","id":2,"method":"new"}`); r.Code != "unknown_method" {
		t.Errorf("a method with a nil option: %+v", r)
	}
	if n := s.Stats().Pool.Workers; n != 0 {
		t.Errorf("a pool of %d workers for nobody", n)
	}
}

// TestCallOptions: faults of the options of a call are reported together, and nothing is done.
func TestCallOptions(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("past", hub.DefaultHistory()))
	conns := s.watchConns()
	c := s.dial(t)
	conn := receive(t, "the connection", conns)
	_, publish := s.Publish(t.Context(), "a", []byte("1"), nil, hub.IdempotencyKey("k", -time.Second), nil)
	_, publishJSON := s.PublishJSON(t.Context(), "a", 1, hub.ConflationKey("k"), nil)
	for _, tt := range []struct {
		name string
		err  error
		want []string
	}{
		{"Publish", publish, []string{"option 0 is nil", "IdempotencyKey: a time of -1s", "option 2 is nil"}},
		{"PublishJSON", publishJSON, []string{"option 1 is nil"}},
		{"Join", conn.Join(t.Context(), "past", hub.Newest(-1), nil), []string{"Newest: -1 is negative", "option 1 is nil"}},
	} {
		if !errors.Is(tt.err, hub.ErrOption) {
			t.Errorf("%s: %v, want ErrOption", tt.name, tt.err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(tt.err.Error(), want) {
				t.Errorf("%s: %v, want also: %s", tt.name, tt.err, want)
			}
		}
	}
	if st := s.Stats(); st.Published != 0 || st.Rooms != 0 {
		t.Errorf("%+v", st)
	}
	c.alive()
}

// TestServerErrors is about errors that callers in the server get.
func TestServerErrors(t *testing.T) {
	s := start(t, hub.WithRooms("past", hub.DefaultHistory()))
	ctx := t.Context()
	_, publishData := s.Publish(ctx, "a", []byte(`{`))
	_, publishEmpty := s.Publish(ctx, "a", nil)
	_, publishRoom := s.Publish(ctx, "", []byte(`1`))
	_, publishBinary := s.Publish(ctx, "a", []byte(`1`), hub.Binary())
	_, publishJSON := s.PublishJSON(ctx, "a", func() {})
	_, presence := s.Presence(ctx, "a", 0)
	_, history := s.History(ctx, "a", broker.Position{}, 0)
	conns := make(chan *hub.Conn, 1)
	s.OnConnect(func(_ context.Context, c *hub.Conn) error {
		conns <- c
		return nil
	})
	s.dial(t)
	c := receive(t, "OnConnect", conns)
	for _, tt := range []struct {
		name      string
		got, want error
	}{
		{"Publish broken data", publishData, hub.ErrData},
		{"Publish nothing", publishEmpty, hub.ErrData},
		{"Publish to no room", publishRoom, broker.ErrRoomName},
		{"Publish binary", publishBinary, nil},
		{"Presence", presence, hub.ErrNoPresence},
		{"History", history, hub.ErrNoHistory},
		{"SendUser", s.SendUser(ctx, "ada", []byte(`x`)), hub.ErrData},
		{"SendTo", s.SendTo(ctx, hub.ByRoom("a"), []byte(`x`)), hub.ErrData},
		{"Send", c.Send([]byte(`{"a":}`)), hub.ErrData},
		{"SendBinary", c.SendBinary(nil), nil},
		{"Join no room", c.Join(ctx, ""), broker.ErrRoomName},
		{"Join with Newest", c.Join(ctx, "a", hub.Newest(1)), hub.ErrNoHistory},
		{"Leave a room it is not in", c.Leave(ctx, "a"), nil},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if publishJSON == nil {
		t.Error("PublishJSON of a function succeeded")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, publish := s.Publish(ctx, "a", []byte(`1`))
	_, disconnect := s.Disconnect(ctx, hub.ByUser("ada"), nil)
	for name, err := range map[string]error{
		"Publish":    publish,
		"SendUser":   s.SendUser(ctx, "ada", []byte(`1`)),
		"SendTo":     s.SendTo(ctx, hub.ByConn(c.ID()), []byte(`1`)),
		"Disconnect": disconnect,
		"JoinUser":   s.JoinUser(ctx, "ada", "past"),
		"Remove":     s.RemoveFromRoom(ctx, hub.ByUser("ada"), "past", ""),
		"Conn.Send":  c.Send([]byte(`1`)),
		"Conn.Join":  c.Join(ctx, "past"),
		"Close":      s.Close(),
		"Shutdown":   s.Shutdown(ctx),
	} {
		if !errors.Is(err, hub.ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s on a closed hub: %v, want ErrClosed", name, err)
		}
	}
}
