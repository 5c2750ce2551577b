package hub_test

import (
	"testing"
	"time"

	hubclient "github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/hub"
)

// TestGoClientCBOR: a Go client of each codec publishes JSON and bytes; both get all of it, live and from the history.
func TestGoClientCBOR(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRooms("*", hub.History(100, time.Minute)))
	got := [2]chan hubclient.Message{make(chan hubclient.Message, 100), make(chan hubclient.Message, 100)}
	var clients [2]*hubclient.Client
	for i, opts := range [][]hubclient.Option{nil, {hubclient.WithCBOR()}} {
		clients[i] = s.goClient(t, opts...)
		if _, err := clients[i].Subscribe("a", func(m hubclient.Message) { got[i] <- m }, hubclient.Newest(100)); err != nil {
			t.Fatal(err)
		}
	}
	const messages = 40
	for n := 1; n <= messages; n++ {
		data, binary := content(n)
		var opts []hubclient.PublishOption
		if binary {
			opts = append(opts, hubclient.Binary())
		}
		if _, err := clients[n%2].Publish(t.Context(), "a", data, opts...); err != nil {
			t.Fatal(err)
		}
	}
	for i := range clients {
		page, err := clients[i].History(t.Context(), "a", hubclient.HistoryQuery{Limit: messages})
		if err != nil || len(page.Messages) != messages {
			t.Fatalf("%d messages, %v", len(page.Messages), err)
		}
		for n := 1; n <= messages; n++ {
			data, binary := content(n)
			for what, m := range map[string]hubclient.Message{"live": receive(t, "a message", got[i]), "stored": page.Messages[n-1]} {
				if string(m.Data) != string(data) || m.Binary != binary || m.Position.Offset != uint64(n) {
					t.Errorf("client %d, %s, message %d: %q, binary %v, at %d", i, what, n, m.Data, m.Binary, m.Position.Offset)
				}
			}
		}
	}
}
