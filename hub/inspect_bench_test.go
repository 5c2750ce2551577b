package hub

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// Crowded is a hub with connections that have no sockets. Some of them are slow, and a few are in many rooms.
func Crowded(t testing.TB, conns, slow, rooms int) *Hub {
	t.Helper()
	h, err := New(WithMaxRooms(rooms), WithMemoryBudget(4<<30), WithLogger(slog.New(slog.DiscardHandler)), WithWriteTimeout(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	members := make([]*Conn, 0, rooms/100)
	deaf, other := net.Pipe() // nobody reads from it
	t.Cleanup(func() {
		for c := range h.Conns() {
			h.rooms.LeaveAll((*member)(c))
			c.writer.Close()
			h.conns.Remove(c)
		}
		_, _ = deaf.Close(), other.Close()
		_ = h.Close()
	})
	for i := range conns {
		c := h.newConn()
		c.writer.Init((*endpoint)(c), deaf, -1, false)
		(*handshake)(c).came()
		c.opened()
		if h.conns.Add(c); len(members) < cap(members) {
			members = append(members, c)
		}
		if i%(conns/slow) == 1 {
			_ = c.writer.SendOne(frame.Append(nil, frame.Text, []byte(strings.Repeat("x", i%100))))
		}
	}
	for i := range rooms {
		if err := members[i/100].Join(context.Background(), fmt.Sprint("room ", i)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// BenchmarkInspect is what looking costs a node with 100,000 connections, of which 1,000 have a backlog, and 20,000 rooms.
func BenchmarkInspect(b *testing.B) {
	const conns, slow, rooms = 100_000, 1000, 20_000
	h := Crowded(b, conns, slow, rooms)
	b.Run("Conns", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range h.Conns() {
				n++
			}
			if n != conns {
				b.Fatal(n)
			}
		}
	})
	b.Run("SlowestConns", func(b *testing.B) {
		for b.Loop() {
			if n := len(h.SlowestConns(100)); n != 100 {
				b.Fatal(n)
			}
		}
	})
	b.Run("Rooms", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range h.Rooms() {
				n++
			}
			if n != rooms {
				b.Fatal(n)
			}
		}
	})
	b.Run("LargestRooms", func(b *testing.B) {
		for b.Loop() {
			if n := len(h.LargestRooms(100)); n != 100 {
				b.Fatal(n)
			}
		}
	})
	b.Run("page of connections", func(b *testing.B) {
		for b.Loop() {
			if p, err := h.InspectConns(context.Background(), ConnQuery{}); err != nil || len(p.Conns) != 100 {
				b.Fatal(err)
			}
		}
	})
	b.Run("page of no connections", func(b *testing.B) {
		for b.Loop() {
			if p, err := h.InspectConns(context.Background(), ConnQuery{Session: "none"}); err != nil || len(p.Conns) != 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run("page of rooms", func(b *testing.B) {
		for b.Loop() {
			if p, err := h.InspectRooms(context.Background(), RoomQuery{}); err != nil || len(p.Rooms) != 100 {
				b.Fatal(err)
			}
		}
	})
	b.Run("the largest rooms", func(b *testing.B) {
		for b.Loop() {
			if p, err := h.InspectRooms(context.Background(), RoomQuery{Largest: true}); err != nil || len(p.Rooms) != 100 {
				b.Fatal(err)
			}
		}
	})
}
