package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/protocol"
)

func Example() {
	c, err := client.New("wss://example.com/ws",
		client.WithBackoff(backoff.Default()),
		client.WithToken(func(context.Context) (string, error) { return "a fresh token", nil }),
		client.OnState(func(s client.State) { fmt.Println(s.Status, s.Err) }),
	)
	if err != nil {
		panic(err)
	}
	_, err = c.Subscribe("news", func(m client.Message) {
		fmt.Println(m.Room, string(m.Data))
	}, client.OnGap(func(g client.Gap) {
		fmt.Println("load the news anew: lost up to", g.To)
	}))
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	var closed *client.CloseError
	switch err := c.Run(ctx); {
	case errors.As(err, &closed):
		fmt.Println("not wanted any more:", closed.Code)
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("enough for today")
	}
}

func ExampleNew() {
	_, err := client.New("https://example.com/ws", client.WithInbox(0))
	fmt.Println(err)
	// Output:
	// client: invalid argument: URL scheme is "https", must be ws or wss
	// client: invalid argument: WithInbox: 0 events, must be positive
}

func ExampleSubscribeJSON() {
	url, stop := exampleHub(`{"text":"hello"}`, `{"text":"world"}`, `7`)
	defer stop()
	c, err := client.New(url)
	if err != nil {
		panic(err)
	}
	type post struct{ Text string }
	_, err = client.SubscribeJSON(c, "chat", func(m client.TypedMessage[post]) {
		fmt.Println(m.Position.Offset, m.Value.Text)
	}, client.OnError(func(err error) {
		fmt.Println(err)
	}))
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Run(context.Background()))
	// Output:
	// 1 hello
	// 2 world
	// client: message of room "chat": json: cannot unmarshal number into Go value of type client_test.post
	// client: closed by the server: 4102 disconnected: bye
}

// Publications wait in the queue as long as there is no connection.
func ExampleClient_PublishAsync() {
	c, err := client.New("ws://example.com/ws", client.WithQueue(2, 1<<20))
	if err != nil {
		panic(err)
	}
	for i := range 3 {
		if _, err := c.PublishAsync("news", fmt.Append(nil, i), client.IdempotencyKey(fmt.Sprint("item-", i))); err != nil {
			fmt.Println(err)
		}
	}
	_ = c.Close()
	// Output:
	// client: queue full: 2 requests
}

// A room is joined at once, and again after every reconnect. Ready tells whether the server lets the client in.
func ExampleClient_Subscribe() {
	c, stop := exampleClient()
	defer stop()
	got := make(chan string)
	sub, err := c.Subscribe("chat", func(m client.Message) { got <- string(m.Data) },
		client.OnError(func(err error) { fmt.Println("not in the room: ", err) }))
	if err != nil {
		panic(err)
	}
	if err := sub.Ready(context.Background()); err != nil {
		panic(err)
	}
	if _, err := c.PublishJSON(context.Background(), "chat", "hello"); err != nil {
		panic(err)
	}
	fmt.Println(<-got)

	refused, err := c.Subscribe("secret", func(client.Message) {}, client.OnError(func(error) {}))
	if err != nil {
		panic(err)
	}
	var no *client.RoomError
	fmt.Println(errors.As(refused.Ready(context.Background()), &no), no)
	if err := sub.Unsubscribe(context.Background()); err != nil {
		panic(err)
	}
	// Output:
	// "hello"
	// true client: room "secret": forbidden: not allowed
}

// Publish waits for the server's answer. The idempotency key makes it safe to publish the same thing again.
func ExampleClient_Publish() {
	c, stop := exampleClient()
	defer stop()
	for range 2 {
		at, err := c.Publish(context.Background(), "orders", []byte(`{"order":7}`), client.IdempotencyKey("order-7"))
		fmt.Println("offset", at.Offset, err)
	}
	_, err := c.Publish(context.Background(), "secret", []byte(`1`))
	fmt.Println(errors.Is(err, protocol.CodeForbidden))
	// Output:
	// offset 1 <nil>
	// offset 1 <nil>
	// true
}

func ExampleClient_Call() {
	c, stop := exampleClient()
	answer, err := c.Call(context.Background(), "upper", []byte(`"hello"`))
	fmt.Println(string(answer), err)

	_, err = c.Call(context.Background(), "lower", []byte(`"hello"`))
	var refused *protocol.Error // what the server says
	fmt.Println(errors.As(err, &refused) && refused.Code == protocol.CodeUnknownMethod)

	stop()
	_, err = c.Call(context.Background(), "upper", []byte(`"hello"`))
	fmt.Println(errors.Is(err, client.ErrClosed), errors.Is(err, net.ErrClosed))
	// Output:
	// "HELLO" <nil>
	// true
	// true true
}

// Errors of requests tell apart what the caller can do.
func ExampleClient_Call_errors() {
	c, stop := exampleClient()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := c.Call(ctx, "order", []byte(`{"size":42}`))
	var refused *protocol.Error
	switch {
	case err == nil:
		fmt.Println("ordered")
	case errors.As(err, &refused) && refused.RetryAfter > 0:
		fmt.Println("the server is busy, again in", refused.RetryAfter)
	case errors.As(err, &refused):
		fmt.Println("refused:", refused.Code)
	case errors.Is(err, client.ErrDisconnected):
		fmt.Println("lost on the way: whether it was executed is unknown")
	case errors.Is(err, client.ErrQueueFull), errors.Is(err, context.DeadlineExceeded):
		fmt.Println("not now")
	case errors.Is(err, client.ErrClosed):
		fmt.Println("the client has ended")
	}
	// Output: refused: sold_out
}

// OnState tells what becomes of the connection, so that a program can show it.
func ExampleOnState() {
	url, stop := exampleHub()
	defer stop()
	c, err := client.New(url, client.OnState(func(s client.State) {
		switch s.Status {
		case client.Connected:
			fmt.Println("connected")
		case client.Disconnected:
			fmt.Println("trying again in", s.Wait)
		case client.Closed:
			fmt.Println("ended:", s.Err)
		}
	}))
	if err != nil {
		panic(err)
	}
	_ = c.Run(context.Background())
	// Output:
	// connected
	// ended: client: closed by the server: 4102 disconnected: bye
}

// A program that stores the position goes on there when it starts again.
func ExampleSubscription_Position() {
	url, stop := exampleHub(`"one"`, `"two"`)
	defer stop()
	c, err := client.New(url)
	if err != nil {
		panic(err)
	}
	stored := client.Position{Epoch: "3f9c", Offset: 1}
	sub, err := c.Subscribe("chat", func(m client.Message) {
		fmt.Println(string(m.Data))
	}, client.Since(stored))
	if err != nil {
		panic(err)
	}
	_ = c.Run(context.Background())
	fmt.Println(sub.Position())
	// Output:
	// "two"
	// {3f9c 2}
}

// exampleClient is a client of a hub. Its rooms are chat and orders, which has history.
func exampleClient() (c *client.Client, stop func()) {
	h, err := hub.New(hub.WithOpenRooms("chat", "orders"), hub.WithRooms("orders", hub.DefaultHistory()))
	if err != nil {
		panic(err)
	}
	err = errors.Join(
		h.Handle("upper", hub.Typed(func(_ context.Context, _ *hub.Conn, in string) (string, error) {
			return strings.ToUpper(in), nil
		})),
		h.Handle("order", func(context.Context, *hub.Conn, []byte) (any, error) {
			return nil, &hub.Error{Code: "sold_out", Message: "no more"}
		}))
	if err != nil {
		panic(err)
	}
	srv := httptest.NewServer(h)
	c, err = client.New("ws" + strings.TrimPrefix(srv.URL, "http"))
	if err != nil {
		panic(err)
	}
	go func() { _ = c.Run(context.Background()) }()
	return c, sync.OnceFunc(func() {
		_ = errors.Join(c.Close(), h.Close())
		srv.Close()
	})
}

// exampleHub is a hub that sends messages to room chat and ends the connection.
func exampleHub(messages ...string) (url string, stop func()) {
	up := websocket.Upgrader{Subprotocols: []string{protocol.Subprotocol}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.Close() }()
		send := func(frame []byte) { _ = ws.WriteMessage(websocket.TextMessage, frame) }
		_, _, _ = ws.ReadMessage() // hello
		send(protocol.AppendWelcome(nil, protocol.Welcome{Conn: "c1"}))
		send(protocol.AppendOK(nil, protocol.OK{Room: "chat", Epoch: "3f9c"}))
		for i, m := range messages {
			send(protocol.AppendMessage(nil, "chat", []byte(m), "3f9c", uint64(i+1)))
		}
		bye := protocol.AppendHint(nil, protocol.Hint{Reason: "bye"})
		_ = ws.WriteMessage(websocket.CloseMessage,
			websocket.FormatCloseMessage(int(protocol.CloseDisconnected), string(bye)))
		_, _, _ = ws.ReadMessage() // until the client closes
	}))
	return "ws" + strings.TrimPrefix(srv.URL, "http"), srv.Close
}
