package brokertest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// TestSuiteFindsFaults breaks a good broker in one place and expects the check for it to say so.
func TestSuiteFindsFaults(t *testing.T) {
	for _, c := range []struct {
		fault  string
		checks string
		make   func() *faulty
	}{
		{"delivers nothing", "Deliver Data Order History Interest ManyRooms",
			func() *faulty { return delivering(func(broker.Receiver, string, []broker.Message) {}) }},
		{"delivers twice", "Deliver Order History SubscribeTwice", func() *faulty {
			return delivering(func(next broker.Receiver, room string, ms []broker.Message) {
				next.Deliver(room, ms)
				next.Deliver(room, ms)
			})
		}},
		{"delivers nothing in a call", "Deliver", func() *faulty {
			return delivering(func(next broker.Receiver, room string, ms []broker.Message) {
				next.Deliver(room, nil)
				next.Deliver(room, ms)
			})
		}},
		{"delivers a buffer it uses again", "Data", func() *faulty {
			var buf [1 << 20]byte
			return delivering(func(next broker.Receiver, room string, ms []broker.Message) {
				ms[0].Data = buf[:copy(buf[:], ms[0].Data)]
				next.Deliver(room, ms)
			})
		}},
		{"delivers in pairs, swapped", "Order HistoryOrder", func() *faulty {
			var held []broker.Message
			return delivering(func(next broker.Receiver, room string, ms []broker.Message) {
				if len(held) == 0 {
					held = append(held, ms...)
					return
				}
				next.Deliver(room, ms)
				next.Deliver(room, held)
				held = nil
			})
		}},
		{"loses the key", "Deliver History", func() *faulty {
			return delivering(func(next broker.Receiver, room string, ms []broker.Message) {
				ms[0].ConflationKey = ""
				next.Deliver(room, ms)
			})
		}},
		{"goes on after Close", "Closed CloseUnderLoad", func() *faulty {
			return &faulty{close: func(*faulty, context.Context) error { return nil }}
		}},
		{"calls back after Close", "CloseUnderLoad Closed", func() *faulty {
			return &faulty{close: func(f *faulty, ctx context.Context) error {
				err := f.Broker.Close(ctx)
				time.AfterFunc(0, func() { f.rec.StateChanged(broker.Stale) })
				time.Sleep(10 * time.Millisecond)
				f.rec.StateChanged(broker.Live)
				return err
			}}
		}},
		{"subscribes to all that it publishes", "Interest", func() *faulty {
			return &faulty{publish: func(f *faulty, ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
				_ = f.Broker.Subscribe(ctx, room)
				return f.Broker.Publish(ctx, room, p)
			}}
		}},
		{"asks for rooms only once", "Finder", func() *faulty {
			return &faulty{receiver: func(r broker.Receiver) broker.Receiver {
				if f, ok := r.(broker.RoomFinder); ok {
					return &askedOnce{RoomFinder: f, rooms: make(map[string]broker.RoomReceiver)}
				}
				return r
			}, subscribe: func(f *faulty, ctx context.Context, rooms []string) error {
				if r, ok := f.rec.(broker.RoomFinder); ok { // what askedOnce does not pass on
					for _, name := range rooms {
						r.Room(name)
					}
				}
				return f.Broker.Subscribe(ctx, rooms...)
			}}
		}},
		{"does not unsubscribe", "Interest SubscribeTwice ManyRooms", func() *faulty {
			return &faulty{unsubscribe: func(_ *faulty, ctx context.Context, _ []string) error { return ctx.Err() }}
		}},
		{"subscribes to a hundred rooms at most", "ManyRooms", func() *faulty {
			return &faulty{subscribe: func(f *faulty, ctx context.Context, rooms []string) error {
				return f.Broker.Subscribe(ctx, rooms[:min(len(rooms), 100)]...)
			}}
		}},
		{"reports states for no reason", "Deliver", func() *faulty {
			return delivering(func(next broker.Receiver, room string, ms []broker.Message) {
				next.StateChanged(broker.Live)
				next.Deliver(room, ms)
			})
		}},
		{"ignores the context", "Canceled", func() *faulty {
			return &faulty{publish: func(f *faulty, ctx context.Context, room string, p broker.Publication) (broker.Result, error) {
				return f.Broker.Publish(context.WithoutCancel(ctx), room, p)
			}}
		}},
		{"works before Start", "NotStarted", func() *faulty {
			return swallowing(func(err error) bool { return errors.Is(err, broker.ErrNotStarted) })
		}},
		{"works after Close", "Closed", func() *faulty {
			return swallowing(func(err error) bool { return errors.Is(err, broker.ErrClosed) })
		}},
		{"takes any room", "RoomNames", func() *faulty {
			return swallowing(func(err error) bool { return errors.Is(err, broker.ErrRoomName) })
		}},
		{"takes any arguments", "Arguments", func() *faulty {
			return swallowing(func(err error) bool { return errors.Is(err, broker.ErrInvalid) })
		}},
		{"knows no idempotency keys", "Idempotency IdempotencyRace",
			func() *faulty { return publishing(func(p *broker.Publication) { p.IdempotencyKey = "" }) }},
		{"knows no publishers", "IdempotencyPublishers",
			func() *faulty { return publishing(func(p *broker.Publication) { p.Publisher = "" }) }},
		{"takes a key for the end of a room's name", "IdempotencyPublishers", func() *faulty {
			return publishing(func(p *broker.Publication) { p.IdempotencyKey, p.Publisher = p.Publisher+p.IdempotencyKey, "x" })
		}},
		{"lets publishers push each other's keys out", "IdempotencyFlood",
			func() *faulty { return publishing(func(p *broker.Publication) { p.Publisher = "all" }) }},
		{"never forgets a key", "IdempotencyTTL",
			func() *faulty { return publishing(func(p *broker.Publication) { p.IdempotencyTTL = time.Hour }) }},
		{"loses the JSON mark", "History", func() *faulty { return publishing(func(p *broker.Publication) { p.JSON = false }) }},
		{"keeps more bytes", "RetentionBytes",
			func() *faulty { return publishing(func(p *broker.Publication) { p.Retention.Bytes *= 2 }) }},
		{"reads more bytes", "HistoryPageBytes", func() *faulty { return asking(func(q *broker.Query) { q.Bytes *= 2 }) }},
		{"reads any bytes", "HistoryPageBytes", func() *faulty { return asking(func(q *broker.Query) { q.Bytes = 0 }) }},
		{"keeps a message too many", "HistoryRead HistoryBeginning RetentionSize", func() *faulty {
			return publishing(func(p *broker.Publication) {
				if p.Retention.Enabled() {
					p.Retention.Size++
				}
			})
		}},
		{"stores all", "HistoryPlain Deliver",
			func() *faulty { return publishing(func(p *broker.Publication) { p.Retention = hundred }) }},
		{"stores nothing", "History HistoryOrder HistoryRead HistoryPages HistoryReadWhilePublishing IdempotencyRace",
			func() *faulty { return publishing(func(p *broker.Publication) { p.Retention = broker.Retention{} }) }},
		{"has no gaps", "HistoryRead HistoryBeginning RetentionAge RetentionIdle",
			func() *faulty { return answering(func(p *broker.Page) { p.Gap = false }) }},
		{"never has more", "HistoryRead HistoryPages",
			func() *faulty { return answering(func(p *broker.Page) { p.More = false }) }},
		{"has no top", "History HistoryPages HistoryBeginning HistoryReadWhilePublishing RetentionIdle",
			func() *faulty { return answering(func(p *broker.Page) { p.Top = broker.Position{} }) }},
		{"loses the oldest message", "History HistoryRead HistoryReadWhilePublishing RetentionSize", func() *faulty {
			return answering(func(p *broker.Page) { p.Messages = p.Messages[min(len(p.Messages), 1):] })
		}},
		{"ignores Since", "HistoryRead HistoryPages HistoryReadWhilePublishing HistoryBeginning",
			func() *faulty { return asking(func(q *broker.Query) { q.Since = broker.Position{} }) }},
		{"ignores Last", "HistoryRead", func() *faulty { return asking(func(q *broker.Query) { q.Last = 0 }) }},
		{"ignores PositionOnly", "HistoryRead", func() *faulty { return asking(func(q *broker.Query) { q.PositionOnly = false }) }},
		{"ignores Limit", "HistoryRead", func() *faulty { return asking(func(q *broker.Query) { q.Limit = 0 }) }},
		{"keeps messages for ever", "RetentionAge RetentionIdle", func() *faulty {
			f := publishing(func(p *broker.Publication) { p.Retention.TTL = time.Hour })
			f.read = asking(func(q *broker.Query) { q.Retention.TTL = time.Hour }).read
			return f
		}},
		{"announces all that enter", "PresenceReplaced", func() *faulty {
			return &faulty{enter: func(f *faulty, ctx context.Context, room string, m broker.Member) error {
				_ = f.Broker.Leave(ctx, room, m.Conn)
				return f.Broker.Enter(ctx, room, m)
			}}
		}},
		{"keeps the first Info", "PresenceReplaced", func() *faulty {
			known := make(map[string]bool)
			return &faulty{enter: func(f *faulty, ctx context.Context, room string, m broker.Member) error {
				if known[m.Conn] {
					return nil
				}
				known[m.Conn] = true
				return f.Broker.Enter(ctx, room, m)
			}}
		}},
		{"announces to those who did not ask", "PresenceInterest", func() *faulty {
			return &faulty{enter: func(f *faulty, ctx context.Context, room string, m broker.Member) error {
				_ = f.Broker.Subscribe(ctx, room)
				return f.Broker.Enter(ctx, room, m)
			}}
		}},
		{"lets nobody leave", "Presence PresenceReplaced PresenceInterest", func() *faulty {
			return &faulty{leave: func(_ *faulty, ctx context.Context, _, _ string) error { return ctx.Err() }}
		}},
		{"loses every tenth who enters", "PresenceMany", func() *faulty {
			var n atomic.Int32
			return &faulty{enter: func(f *faulty, ctx context.Context, room string, m broker.Member) error {
				if n.Add(1)%10 == 0 {
					return nil
				}
				return f.Broker.Enter(ctx, room, m)
			}}
		}},
		{"lists members in another order", "Presence PresenceMany", func() *faulty {
			return &faulty{members: func(f *faulty, ctx context.Context, room string, limit int) ([]broker.Member, error) {
				ms, err := f.Broker.Members(ctx, room, limit)
				if len(ms) > 1 {
					ms[0], ms[1] = ms[1], ms[0]
				}
				return ms, err
			}}
		}},
		{"lists all members always", "Presence", func() *faulty {
			return &faulty{members: func(f *faulty, ctx context.Context, room string, _ int) ([]broker.Member, error) {
				return f.Broker.Members(ctx, room, 0)
			}}
		}},
		{"is never the first", "Occupancy OccupancyRace", func() *faulty {
			return &faulty{occupy: func(_ *faulty, ctx context.Context, _ string) (bool, error) { return false, ctx.Err() }}
		}},
		{"is the last only once", "Occupancy OccupancyRace", func() *faulty {
			var once atomic.Bool
			return &faulty{vacate: func(_ *faulty, ctx context.Context, _ string) (bool, error) {
				return !once.Swap(true), ctx.Err()
			}}
		}},
		{"knows positions of rooms that are not subscribed", "Positions", func() *faulty {
			return &faulty{position: func(f *faulty, room string) (broker.Position, bool) {
				page, err := f.Broker.Read(context.Background(), room, broker.Query{PositionOnly: true, Retention: hundred})
				return page.Top, err == nil
			}}
		}},
		{"keeps the first position", "Positions PositionsWhilePublishing", func() *faulty {
			var first broker.Position
			return &faulty{position: func(f *faulty, room string) (broker.Position, bool) {
				if _, ok := f.kept.Load(room); !ok {
					return broker.Position{}, false
				}
				if first.IsZero() {
					page, err := f.Broker.Read(context.Background(), room, broker.Query{PositionOnly: true, Retention: hundred})
					if err != nil {
						return broker.Position{}, false
					}
					first = page.Top
				}
				return first, true
			}}
		}},
		{"forgets SubscribeAt", "NotStarted Closed Canceled", func() *faulty {
			return &faulty{subscribe: func(f *faulty, ctx context.Context, rooms []string) error {
				_ = f.Broker.Subscribe(ctx, rooms...)
				return nil
			}}
		}},
		{"loses broadcasts", "Bus", func() *faulty {
			return &faulty{broadcast: func(_ *faulty, ctx context.Context, _ []byte) error { return ctx.Err() }}
		}},
		{"sends twice", "Bus", func() *faulty {
			return &faulty{send: func(f *faulty, ctx context.Context, node string, payload []byte) error {
				_ = f.Broker.Send(ctx, node, payload)
				return f.Broker.Send(ctx, node, payload)
			}}
		}},
		{"does not say who sent", "Bus", func() *faulty {
			return &faulty{receiver: func(r broker.Receiver) broker.Receiver {
				return altered{Receiver: r, command: func(next broker.Receiver, _ string, payload []byte) {
					next.Command("", bytes.Clone(payload))
				}}
			}}
		}},
		{"lists no nodes", "BusNodes", func() *faulty {
			return &faulty{nodes: func(_ *faulty, ctx context.Context) ([]broker.Node, error) { return nil, ctx.Err() }}
		}},
	} {
		for name := range strings.FieldsSeq(c.checks) {
			t.Run(strings.ReplaceAll(c.fault, " ", "_")+"/"+name, func(t *testing.T) {
				t.Parallel()
				failures := try(t, name, func(t testing.TB) World {
					return World{Nodes: 1, Deadline: 600 * time.Millisecond, NewNode: func(testing.TB) broker.Broker {
						f := c.make()
						f.Broker = newMemory(t)
						return f
					}}
				})
				t.Logf("found: %.300q", failures)
				if len(failures) == 0 {
					t.Errorf("a broker that %s passes %s", c.fault, name)
				}
			})
		}
	}
}
