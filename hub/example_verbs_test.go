package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/broker"
	hubclient "github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gorilla/websocket"
)

// What every connection needs is done before anything that the client sends is looked at.
func ExampleHub_OnConnect() {
	h, url, stop := serveExample()
	defer stop()
	h.OnConnect(func(ctx context.Context, c *hub.Conn) error {
		if err := c.Join(ctx, "lobby"); err != nil {
			return err // the client comes back
		}
		return c.Send([]byte(`"welcome to the lobby"`))
	})
	h.OnDisconnect(func(_ context.Context, _ *hub.Conn, err error) { log.Print("gone: ", err) })

	greeting := make(chan string)
	_, leave := connectExample(url, hubclient.OnMessage(func(m hubclient.Message) { greeting <- string(m.Data) }))
	fmt.Println(<-greeting)
	leave()
	// Output: "welcome to the lobby"
}

// Typed decodes what the client sent. Data that does not fit never reaches the function.
func ExampleTyped() {
	h, url, stop := serveExample()
	defer stop()
	type order struct {
		Size  int    `json:"size"`
		Color string `json:"color"`
	}
	err := h.Handle("order", hub.Typed(func(_ context.Context, _ *hub.Conn, o order) (string, error) {
		if o.Size > 50 {
			return "", &hub.Error{Code: "too_large", Message: "at most size 50"}
		}
		return fmt.Sprintf("%s, size %d", o.Color, o.Size), nil
	}))
	if err != nil {
		log.Fatal(err)
	}

	c, leave := connectExample(url)
	for _, data := range []string{`{"size":42,"color":"red"}`, `{"size":51}`, `{"size":"L"}`} {
		answer, err := c.Call(context.Background(), "order", []byte(data))
		fmt.Println(string(answer), err)
	}
	leave()
	// Output:
	// "red, size 42" <nil>
	//  too_large: at most size 50
	//  bad_request: field "size": want a whole number, got a string
}

// Clients that hold no connection publish and call with one request each.
func ExampleHub_Post() {
	h, err := hub.New(hub.WithOpenRooms("news"))
	if err != nil {
		log.Fatal(err)
	}
	err = h.Handle("add", hub.Typed(func(_ context.Context, _ *hub.Conn, in []int) (int, error) { return in[0] + in[1], nil }))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	mux.Handle("/post", h.Post())
	server := httptest.NewServer(mux)

	for _, ask := range [][2]string{{"room=news", `{"text":"hello"}`}, {"method=add", `[2,3]`}, {"room=secret", `1`}} {
		res, err := http.Post(server.URL+"/post?"+ask[0], "application/json", strings.NewReader(ask[1]))
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		fmt.Println(res.StatusCode, string(body))
	}
	server.Close()
	_ = h.Close()
	// Output:
	// 200 {"op":"ok","room":"news"}
	// 200 {"op":"ok","data":5}
	// 403 {"op":"error","room":"secret","code":"forbidden","message":"not allowed"}
}

// The page's calls are checked against the Go types of what answers them.
func ExampleHub_WriteTypeScript() {
	type order struct {
		Size  int    `json:"size"`
		Color string `json:"color,omitempty"`
	}
	h, err := hub.New(hub.WithRooms("orders:*", hub.DataType[order]()))
	if err != nil {
		log.Fatal(err)
	}
	err = h.Handle("order", hub.Typed(func(context.Context, *hub.Conn, order) (string, error) { return "ordered", nil }))
	if err != nil {
		log.Fatal(err)
	}
	var text strings.Builder
	if err := h.WriteTypeScript(&text); err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, "rder") || strings.Contains(line, ": string") || strings.Contains(line, ": number") {
			fmt.Print(line)
		}
	}
	_ = h.Close()
	// Output:
	//   "order": { in: Order; out: string };
	//   : Name extends `orders:${string}` ? Order
	// export interface Order {
	//   size: number;
	//   color?: string;
}

// A publication that is tried again under the same idempotency key is stored and delivered once.
func ExampleHub_Publish() {
	h, _, stop := serveExample(hub.WithRooms("orders", hub.DefaultHistory()))
	defer stop()
	for range 2 {
		res, err := h.Publish(context.Background(), "orders", []byte(`{"order":7,"status":"shipped"}`),
			hub.IdempotencyKey("order-7-shipped", 10*time.Minute))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("offset", res.Position.Offset, "duplicate", res.Duplicate)
	}
	// Output:
	// offset 1 duplicate false
	// offset 1 duplicate true
}

// A REST handler can show what clients would see of the past.
func ExampleHub_History() {
	h, _, stop := serveExample(hub.WithRooms("news", hub.History(2, time.Hour)))
	defer stop()
	for _, headline := range []string{"one", "two", "three"} {
		if _, err := h.PublishJSON(context.Background(), "news", headline); err != nil {
			log.Fatal(err)
		}
	}
	page, err := h.History(context.Background(), "news", broker.Position{}, 100)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range page.Messages {
		fmt.Println(m.Position.Offset, string(m.Data))
	}
	_, err = h.History(context.Background(), "chat", broker.Position{}, 100)
	fmt.Println(err)
	// Output:
	// 2 "two"
	// 3 "three"
	// hub: the room has no history
}

// The members of a room, on all nodes.
func ExampleHub_Presence() {
	h, url, stop := serveExample(hub.WithOpenRooms("*"), hub.WithRooms("chat", hub.Presence()),
		hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			user := r.Header.Get("User")
			return hub.Identity{User: user, Info: json.RawMessage(`{"mood":"fine"}`)}, nil
		}))
	defer stop()
	c, leave := connectExample(url, hubclient.WithHeader(http.Header{"User": {"ada"}}))
	joined, err := c.Subscribe("chat", func(hubclient.Message) {})
	if err != nil {
		log.Fatal(err)
	}
	if err := joined.Ready(context.Background()); err != nil {
		log.Fatal(err)
	}
	who, err := h.Presence(context.Background(), "chat", 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(who.Count, who.Members[0].User, string(who.Members[0].Info))
	leave()
	// Output: 1 ada {"mood":"fine"}
}

// Authorizers add up: all must agree. The second one sees what the first has changed.
func ExampleHub_OnPublish() {
	h, url, stop := serveExample()
	defer stop()
	h.OnPublish(func(_ context.Context, _ *hub.Conn, p *hub.Publication) error {
		if !strings.HasPrefix(p.Room, "chat:") {
			return hub.ErrForbidden
		}
		return nil
	})
	h.OnPublish(func(_ context.Context, c *hub.Conn, p *hub.Publication) (err error) {
		p.Data, err = json.Marshal(map[string]any{"from": c.Identity().User, "text": json.RawMessage(p.Data)})
		return err
	})
	h.OnJoin(func(context.Context, *hub.Conn, string) error { return nil })

	c, leave := connectExample(url)
	said := make(chan string)
	if _, err := c.Subscribe("chat:1", func(m hubclient.Message) { said <- string(m.Data) }); err != nil {
		log.Fatal(err)
	}
	_, err := c.Publish(context.Background(), "news", []byte(`"hi"`))
	fmt.Println(err)
	if _, err := c.Publish(context.Background(), "chat:1", []byte(`"hi"`)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-said)
	leave()
	// Output:
	// forbidden: not allowed
	// {"from":"","text":"hi"}
}

// Shutdown sends clients away at a pace that the other nodes can take, within the window of WithDrain. The HTTP server comes
// after it, since it answers handshakes meanwhile.
func ExampleHub_Shutdown() {
	h, err := hub.New(hub.WithDrain(time.Second))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !h.Ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	srv := httptest.NewServer(mux)

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		log.Print("some connections were cut: ", err)
	}
	resp, err := http.Get(srv.URL + "/readyz")
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
	fmt.Println(resp.Status)
	srv.Close()
	// Output: 503 Service Unavailable
}

// A raw hub has no protocol: its frames are the application's own, text or binary.
func ExampleWithRaw() {
	h, url, stop := serveExample(hub.WithRaw(), hub.WithSubprotocols("echo"))
	defer stop()
	h.OnMessage(func(_ context.Context, c *hub.Conn, m hub.Message) {
		if m.Binary {
			_ = c.SendBinary(m.Data)
			return
		}
		_ = c.Send(append([]byte("you said "), m.Data...))
	})

	d := websocket.Dialer{Subprotocols: []string{"echo"}}
	ws, resp, err := d.Dial(url, nil)
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
	_ = ws.WriteMessage(websocket.TextMessage, []byte("hello"))
	_, frame, err := ws.ReadMessage()
	fmt.Println(string(frame), err)
	_ = ws.Close()
	// Output: you said hello <nil>
}

// Admission bounds how many clients are let in: here one in a hundred seconds, and ten at most. The others are told when to come back.
func ExampleWithAdmission() {
	_, url, stop := serveExample(hub.WithAdmission(0.01, 1), hub.WithMaxConns(10))
	defer stop()
	for range 2 {
		ws, resp, err := websocket.DefaultDialer.Dial(url, nil)
		if err == nil {
			fmt.Println("let in")
			_ = ws.Close()
		} else {
			fmt.Println(resp.Status, "with Retry-After:", resp.Header.Get("Retry-After") != "")
		}
		_ = resp.Body.Close()
	}
	// Output:
	// let in
	// 503 Service Unavailable with Retry-After: true
}

// serveExample serves a hub on loopback.
func serveExample(opts ...hub.Option) (h *hub.Hub, url string, stop func()) {
	h, err := hub.New(opts...)
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(h)
	return h, "ws" + strings.TrimPrefix(srv.URL, "http"), func() {
		if err := h.Close(); err != nil {
			log.Print(err)
		}
		srv.Close()
	}
}

// connectExample runs a client until leave is called.
func connectExample(url string, opts ...hubclient.Option) (c *hubclient.Client, leave func()) {
	c, err := hubclient.New(url, opts...)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := c.Run(context.Background()); !errors.Is(err, hubclient.ErrClosed) {
			log.Print(err)
		}
	}()
	return c, func() { _ = c.Close() }
}
