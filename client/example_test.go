package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
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

func ExampleClient_Call() {
	c, err := client.New("ws://example.com/ws")
	if err != nil {
		panic(err)
	}
	_ = c.Close()
	_, err = c.Call(context.Background(), "thumbnail", []byte(`{"image":7}`))
	fmt.Println(errors.Is(err, client.ErrClosed), errors.Is(err, net.ErrClosed))
	// Output:
	// true true
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
