package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

func TestCallAndSend(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	type in struct{ Image int }
	type out struct{ URL string }
	type result struct {
		out out
		err error
	}
	results := make(chan result, 1)
	call := func() {
		go func() {
			o, err := client.CallJSON[in, out](t.Context(), c, "thumbnail", in{7})
			results <- result{o, err}
		}()
	}
	call() // waits for the connection
	run(t, c)
	p, _ := s.greet()
	q := p.want(protocol.OpCall)
	if q.Method != "thumbnail" || q.Data != `{"Image":7}` {
		t.Errorf("call is %+v", q)
	}
	p.ok(q.ID+1000, "", client.Position{}) // the answer to nothing
	p.send(protocol.AppendOK(nil, protocol.OK{ID: q.ID, Data: []byte(`{"URL":"/t/7"}`)}))
	if r := receive(t, results); r.err != nil || r.out.URL != "/t/7" {
		t.Errorf("call returned %+v", r)
	}

	call()
	p.fail(p.want(protocol.OpCall).ID, "", &protocol.Error{Code: "no_such_image", Message: "7"})
	if r := receive(t, results); !errors.Is(r.err, protocol.ErrorCode("no_such_image")) {
		t.Errorf("call returned %+v", r)
	}

	call()
	p.want(protocol.OpCall)
	p.cut()
	if r := receive(t, results); !errors.Is(r.err, client.ErrDisconnected) {
		t.Errorf("call in flight at the cut returned %+v", r)
	}

	sent := make(chan error, 1)
	go func() { sent <- c.Send(t.Context(), []byte(`{"typing":true}`)) }()
	p, _ = s.greet()
	q = p.want(protocol.OpSend)
	if q.Data != `{"typing":true}` {
		t.Errorf("send is %+v", q)
	}
	p.ok(q.ID, "", client.Position{})
	if err := receive(t, sent); err != nil {
		t.Error("Send returned", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	go func() { sent <- c.Send(ctx, []byte("1")) }()
	p.want(protocol.OpSend)
	cancel()
	if err := receive(t, sent); !errors.Is(err, context.Canceled) {
		t.Error("Send returned", err)
	}
}

// TestCallFromCallback is what a bot does that answers.
func TestCallFromCallback(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url)
	answers := make(chan string, 1)
	subscribe(t, c, "r", func(m client.Message) {
		reply, err := c.Call(t.Context(), "echo", m.Data)
		if err != nil {
			t.Error(err)
		}
		answers <- string(reply)
	})
	run(t, c)
	p, _ := s.greet()
	p.ok(0, "r", client.Position{})
	p.message("r", `"hi"`, client.Position{})
	q := p.want(protocol.OpCall)
	p.send(protocol.AppendOK(nil, protocol.OK{ID: q.ID, Data: []byte(q.Data)}))
	if a := receive(t, answers); a != `"hi"` {
		t.Errorf("answer is %s", a)
	}
}

// TestConcurrentUse has many goroutines do everything at once while connections are cut.
func TestConcurrentUse(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s.url, client.WithRate(1e9, 1000))
	run(t, c)
	var work, peers sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for n := range 20 {
				sub, err := c.Subscribe(fmt.Sprint("r", i), func(client.Message) {})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Publish(t.Context(), "r", fmt.Append(nil, n)); err != nil {
					t.Error("Publish:", err)
				}
				if _, err := c.Call(t.Context(), "m", nil); err != nil && !errors.Is(err, client.ErrDisconnected) {
					t.Error("Call:", err)
				}
				sub.Position()
				if n%2 == 0 {
					sub.Stop()
				} else if err := sub.Unsubscribe(t.Context()); err != nil {
					t.Error("Unsubscribe:", err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		work.Wait()
		_ = c.Close()
		peers.Wait()
	}()
	// Each connection answers more frames than the one before.
	for frames := 10; ; frames += 10 {
		var p *peer
		select {
		case p = <-s.peers:
		case <-done:
			return
		}
		peers.Go(func() {
			defer p.cut()
			frame := protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c1"})
			for range frames {
				q, err := p.next()
				if err != nil {
					return
				}
				if q.Op != protocol.OpHello {
					frame = protocol.AppendOK(nil, protocol.OK{ID: q.ID, Room: q.Room})
				}
				if p.ws.WriteMessage(websocket.TextMessage, frame) != nil {
					return
				}
			}
		})
	}
}

func TestBadArguments(t *testing.T) {
	c := newClient(t, "ws://127.0.0.1:1")
	f := func(client.Message) {}
	ctx := t.Context()
	long := strings.Repeat("x", 256)
	tests := map[string]func() error{
		"room: empty":             func() error { _, err := c.Subscribe("", f); return err },
		"room: long":              func() error { _, err := c.Subscribe(long, f); return err },
		"room: control character": func() error { _, err := c.Subscribe("a\nb", f); return err },
		"room: not UTF-8":         func() error { _, err := c.Subscribe("\xff", f); return err },
		"Subscribe: nil function": func() error { _, err := c.Subscribe("r", nil); return err },
		"SubscribeJSON: nil":      func() error { _, err := client.SubscribeJSON[int](c, "r", nil); return err },
		"Subscribe: nil option":   func() error { _, err := c.Subscribe("r", f, nil); return err },
		"OnGap: nil":              func() error { _, err := c.Subscribe("r", f, client.OnGap(nil)); return err },
		"OnPresence: nil":         func() error { _, err := c.Subscribe("r", f, client.OnPresence(nil)); return err },
		"OnMembersChanged: nil":   func() error { _, err := c.Subscribe("r", f, client.OnMembersChanged(nil)); return err },
		"OnError: nil":            func() error { _, err := c.Subscribe("r", f, client.OnError(nil)); return err },
		"Newest: 0":               func() error { _, err := c.Subscribe("r", f, client.Newest(0)); return err },
		"Since: no epoch": func() error {
			_, err := c.Subscribe("r", f, client.Since(client.Position{Offset: 1}))
			return err
		},
		"Since: offset": func() error {
			_, err := c.Subscribe("r", f, client.Since(at(protocol.MaxOffset+1)))
			return err
		},
		"both": func() error {
			_, err := c.Subscribe("r", f, client.Since(at(1)), client.Newest(1))
			return err
		},
		"Publish: room":       func() error { _, err := c.Publish(ctx, "", []byte("1")); return err },
		"Publish: no data":    func() error { _, err := c.Publish(ctx, "r", nil); return err },
		"Publish: no JSON":    func() error { _, err := c.Publish(ctx, "r", []byte("{")); return err },
		"Publish: nil option": func() error { _, err := c.Publish(ctx, "r", []byte("1"), nil); return err },
		"IdempotencyKey: empty": func() error {
			_, err := c.Publish(ctx, "r", []byte("1"), client.IdempotencyKey(""))
			return err
		},
		"IdempotencyKey: long": func() error {
			_, err := c.Publish(ctx, "r", []byte("1"), client.IdempotencyKey(long))
			return err
		},
		"Call: no method": func() error { _, err := c.Call(ctx, "", nil); return err },
		"Call: no JSON":   func() error { _, err := c.Call(ctx, "m", []byte{}); return err },
		"Send: no data":   func() error { return c.Send(ctx, nil) },
		"Presence: room":  func() error { _, err := c.Presence(ctx, ""); return err },
	}
	for name, f := range tests {
		if err := f(); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := c.Subscribe("", f, nil, client.OnGap(nil))
	if e, ok := err.(interface{ Unwrap() []error }); !ok || len(e.Unwrap()) != 3 {
		t.Errorf("three faults are reported as %v", err)
	}
	if _, err := c.PublishJSON(ctx, "r", func() {}); err == nil {
		t.Error("a function was published")
	}
	if _, err := client.CallJSON[any, any](ctx, c, "m", func() {}); err == nil {
		t.Error("a function was called with")
	}
}
