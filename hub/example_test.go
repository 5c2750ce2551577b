package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gohubkit/hubkit/workerpool"
	"github.com/gorilla/websocket"
)

// A hub is mounted like any http.Handler. A client needs nothing but WebSockets and JSON.
func Example() {
	h, err := hub.New(hub.WithOpenRooms("news"))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	server := httptest.NewServer(mux)

	url := "ws" + strings.TrimPrefix(server.URL, "http") + "/ws"
	ws, resp, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
	read := func() string {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			log.Fatal(err)
		}
		return string(frame)
	}
	read() // the welcome

	if err := ws.WriteJSON(map[string]any{"op": "join", "id": 1, "room": "news"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(read())

	// From any REST handler, on any node:
	if _, err := h.PublishJSON(context.Background(), "news", "the hub is open"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(read())

	if err := errors.Join(ws.Close(), h.Close()); err != nil {
		log.Fatal(err)
	}
	server.Close()
	// Output:
	// {"op":"ok","id":1,"room":"news"}
	// {"op":"message","room":"news","data":"the hub is open"}
}

// A hub as a service runs it.
func ExampleNew() {
	pool, err := workerpool.New()
	if err != nil {
		log.Fatal(err)
	}
	authenticate := func(r *http.Request) (hub.Identity, error) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return hub.Identity{}, hub.ErrUnauthorized // answered with 401
		}
		return hub.Identity{User: cookie.Value}, nil
	}
	h, err := hub.New(
		hub.WithHeartbeat(heartbeat.Policy{Interval: 25 * time.Second, Timeout: 10 * time.Second}),
		hub.WithWorkerPool(pool),
		hub.WithAuthenticator(authenticate),
		hub.WithRooms("chat:*", hub.History(1000, 10*time.Minute), hub.Presence()),
	)
	if err != nil {
		log.Fatal(err)
	}
	h.OnConnect(func(ctx context.Context, c *hub.Conn) error { return c.Join(ctx, "news") })

	fmt.Println("ready:", h.Ready())

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	err = errors.Join(h.Shutdown(ctx), pool.Close(ctx))
	cancel()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready:", h.Ready())
	// Output:
	// ready: true
	// ready: false
}

// Every fault is reported, not the first alone.
func ExampleNew_faults() {
	_, err := hub.New(
		hub.WithMaxRooms(0),
		hub.WithOrigins("https://example.com/app"),
	)
	fmt.Println(err)
	// Output:
	// hub: invalid options: WithMaxRooms: 0 is not positive
	// WithOrigins: origin "https://example.com/app": give scheme and host, such as example.com or https://*.example.com:8443, without a path
}

// A method that clients call. Work that takes more than a moment of CPU runs on the worker pool.
func ExampleHub_Handle() {
	h, err := hub.New()
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close() //nolint:errcheck // the example is over

	type request struct{ Image string }
	type response struct{ URL string }
	makeThumbnail := func(_ context.Context, _ *hub.Conn, in request) (response, error) {
		if in.Image == "" {
			return response{}, &hub.Error{Code: protocol.CodeBadRequest, Message: "which image?"}
		}
		return response{URL: "/thumbnails/" + in.Image}, nil
	}
	if err := h.Handle("thumbnail", hub.Typed(makeThumbnail), hub.Heavy()); err != nil {
		log.Print(err)
	}
}

// Rooms say what becomes of their messages for a client that reads too slowly.
func ExampleOverflow() {
	h, err := hub.New(
		hub.WithRooms("price:*", hub.Overflow(hub.OverflowConflate)),                    // the latest of each symbol
		hub.WithRooms("cursor:*", hub.Overflow(hub.OverflowDropOldest)),                 // what is old is worthless
		hub.WithRooms("chat:*", hub.DefaultHistory(), hub.Overflow(hub.OverflowReplay)), // everything, at its own pace
	)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close() //nolint:errcheck // the example is over

	_, err = h.Publish(context.Background(), "price:tech", []byte(`{"symbol":"ACME","price":17}`), hub.ConflationKey("ACME"))
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range h.Stats().Rules {
		fmt.Printf("%q: %s, %d dropped\n", r.Pattern, r.Overflow, r.Dropped)
	}
	// Output:
	// "price:*": conflate, 0 dropped
	// "cursor:*": drop oldest, 0 dropped
	// "chat:*": replay, 0 dropped
	// "": disconnect, 0 dropped
}

// Who may join and publish where is the application's to say.
func ExampleHub_OnJoin() {
	h, err := hub.New()
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close() //nolint:errcheck // the example is over

	isMember := func(_ context.Context, user, _ string) (bool, error) { return user != "", nil }
	h.OnJoin(func(ctx context.Context, c *hub.Conn, room string) error {
		ok, err := isMember(ctx, c.Identity().User, room)
		switch {
		case err != nil:
			return err // logged; the client hears "unavailable", and tries again
		case !ok:
			return &hub.Error{Code: "not_a_member", Message: "ask for an invitation"}
		}
		return nil
	})
	h.OnPublish(func(_ context.Context, c *hub.Conn, p *hub.Publication) error {
		signed, err := json.Marshal(map[string]any{"from": c.Identity().User, "text": json.RawMessage(p.Data)})
		p.Data = signed
		return err
	})
}

// A server that answers its health check however many connections say nothing.
func ExampleEvictingListener() {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ln, err := hub.NewEvictingListener(tcp)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "fine") })
	srv := &http.Server{Handler: mux, ConnState: ln.ConnState, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	res, err := http.Get("http://" + ln.Addr().String() + "/healthz")
	if err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(os.Stdout, res.Body)
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	_ = srv.Close()
	fmt.Println(<-served)
	// Output:
	// fine
	// http: Server closed
}
