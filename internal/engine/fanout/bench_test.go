package fanout

import (
	"context"
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// sink is a member that costs nothing.
type sink struct{ _ byte } // of a size, so that each is another

func (s *sink) Send(b *frame.Batch, from int) (int, bool, error) {
	return b.Len() - from, false, nil
}

var payload = make([]byte, 100)

func appendPayload(dst []byte, _ frame.Form) []byte { return append(dst, payload...) }

// BenchmarkPublish is the cost of one message to all members, when messages come as fast as they are taken.
func BenchmarkPublish(b *testing.B) {
	for _, members := range []int{1, 64, 1000, 10_000} {
		b.Run(fmt.Sprintf("%d members", members), func(b *testing.B) {
			r := newRig(b, 2, 256, 256<<10)
			room := r.room()
			for range members {
				join(b, room, new(sink))
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := room.Ready(context.Background()); err != nil {
					b.Fatal(err)
				}
				room.Add(frame.Text, 0, "", appendPayload)
			}
			r.Close()
			if got, want := r.Delivered.Load(), int64(b.N)*int64(members); got < want {
				b.Fatalf("%d sent, want %d", got, want)
			}
		})
	}
}

// teller is a sink that says so.
type teller struct{ passed chan<- struct{} }

func (s *teller) Send(b *frame.Batch, from int) (int, bool, error) {
	s.passed <- struct{}{}
	return b.Len() - from, false, nil
}

// BenchmarkIdleRoom is the time from publishing to the end of a pass, in a room with one message at a time.
func BenchmarkIdleRoom(b *testing.B) {
	for _, members := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d members", members), func(b *testing.B) {
			passed := make(chan struct{}, 100)
			room := newRig(b, 2, 256, 256<<10).room()
			for range members {
				join(b, room, &teller{passed})
			}
			b.ReportAllocs()
			for b.Loop() {
				room.Add(frame.Text, 0, "", appendPayload)
				for range members {
					<-passed
				}
			}
		})
	}
}

// BenchmarkManyRooms publishes to 1,000 rooms of ten members in turn.
func BenchmarkManyRooms(b *testing.B) {
	r := newRig(b, 2, 256, 256<<10)
	rooms := make([]*Room, 1000)
	for i := range rooms {
		rooms[i] = r.room()
		for range 10 {
			join(b, rooms[i], new(sink))
		}
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		room := rooms[i%len(rooms)]
		i++
		if err := room.Ready(context.Background()); err != nil {
			b.Fatal(err)
		}
		room.Add(frame.Text, 0, "", appendPayload)
	}
}

// BenchmarkJoinLeave is one member that comes and goes, in rooms of different size.
func BenchmarkJoinLeave(b *testing.B) {
	for _, members := range []int{0, 1000, 10_000} {
		b.Run(fmt.Sprintf("%d members", members), func(b *testing.B) {
			room := newRig(b, 1, 256, 256<<10).room()
			for range members {
				join(b, room, new(sink))
			}
			m := new(sink)
			b.ReportAllocs()
			for b.Loop() {
				room.Leave(m, join(b, room, m))
			}
		})
	}
}
