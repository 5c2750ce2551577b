package rooms

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/core/codec"
	"github.com/gohubkit/hubkit/internal/engine/fanout"
	"github.com/gohubkit/hubkit/internal/engine/frame"
	"github.com/gohubkit/hubkit/internal/engine/wire"
	"github.com/gohubkit/hubkit/protocol"
)

// interests is a broker that knows nothing but who is subscribed. Both calls may be made to take their time, to fail or to
// panic.
type interests struct {
	broker.Broker
	subscribe, unsubscribe func() error

	mu    sync.Mutex
	asked []string // +room and -room, in their order
}

func (b *interests) note(sign string, rooms []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range rooms {
		b.asked = append(b.asked, sign+r)
	}
}

func (b *interests) log() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.asked
	b.asked = nil
	return log
}

func (b *interests) Subscribe(_ context.Context, rooms ...string) error {
	b.note("+", rooms)
	if b.subscribe != nil {
		return b.subscribe()
	}
	return nil
}

func (b *interests) Unsubscribe(_ context.Context, rooms ...string) error {
	b.note("-", rooms)
	if b.unsubscribe != nil {
		return b.unsubscribe()
	}
	return nil
}

var errs = Errors{
	Closed: errors.New("closed"), NoHistory: errors.New("no history"), TooMany: errors.New("too many"), Joining: errors.New("joining"),
}

// rig is a Node of which the test is the hub.
type rig struct {
	*Node
	rule   Rule
	goes   sync.WaitGroup // what Run started
	panics int            // of it
	held   int
	mu     sync.Mutex
}

func newRig(t *testing.T, b broker.Broker, change func(*Config)) *rig {
	t.Helper()
	sched, err := fanout.NewScheduler(fanout.Config{Workers: 2, MaxMessages: 64, MaxBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{rule: Rule{Source: frame.Source{Account: new(frame.Account)}}}
	ctx, cancel := context.WithCancel(context.Background())
	conf := Config{
		Context: ctx, Run: r.run, Held: r.hold, Log: slog.New(slog.DiscardHandler), Errors: errs, Broker: b, Scheduler: sched,
		Rule: func(string) *Rule { return &r.rule }, Linger: time.Second, MaxRooms: 8, BacklogMessages: 256, BacklogBytes: 1 << 20,
	}
	if change != nil {
		change(&conf)
	}
	r.Node = New(conf)
	t.Cleanup(func() {
		r.Close()
		cancel()
		r.goes.Wait()
		sched.Close()
	})
	return r
}

func (r *rig) run(f func()) {
	r.goes.Go(func() {
		defer func() {
			if recover() != nil {
				r.mu.Lock()
				r.panics++
				r.mu.Unlock()
			}
		}()
		f()
	})
}

func (r *rig) hold(n int) {
	r.mu.Lock()
	r.held += n
	r.mu.Unlock()
}

func (r *rig) rooms() int { return r.Stats().Rooms }

// conn is a connection whose client reads all that comes.
type conn struct {
	rooms  Memberships
	writer wire.Writer
	conf   wire.Config
	ctx    context.Context //nolint:containedctx // it is a connection
	got    chan string
	rescue func(v any)
	barred atomic.Pointer[error] // of all rooms

	flushes sync.WaitGroup
}

// Run implements wire.Owner.
func (c *conn) Run(f func()) { c.flushes.Go(f) }

func (r *rig) conn(t *testing.T) *conn {
	t.Helper()
	here, there := net.Pipe()
	c := &conn{ctx: t.Context(), got: make(chan string, 10_000)}
	c.conf = wire.Config{MaxMessages: 1 << 16, MaxBytes: 1 << 26, Timeout: time.Hour}
	c.writer.Init(c, here, -1, false)
	c.writer.Speak(codec.FormJSON)
	go c.read(there)
	t.Cleanup(func() {
		r.LeaveAll(c)
		c.writer.Close()
		c.flushes.Wait()
		for range c.got { // until the reader has seen it
		}
	})
	return c
}

func (c *conn) read(from net.Conn) {
	defer close(c.got)
	r := bufio.NewReader(from)
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		n := int(head[1])
		if n == 126 {
			var long [2]byte
			if _, err := io.ReadFull(r, long[:]); err != nil {
				return
			}
			n = int(binary.BigEndian.Uint16(long[:]))
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(r, p); err != nil {
			return
		}
		c.got <- string(p)
	}
}

func (c *conn) Memberships() *Memberships { return &c.rooms }
func (c *conn) Writer() *wire.Writer      { return &c.writer }
func (c *conn) Context() context.Context  { return c.ctx }
func (c *conn) Presence() broker.Member   { return broker.Member{Conn: "c"} }

func (c *conn) Barred(string) error {
	if err := c.barred.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *conn) Joined(request uint64, room string, from broker.Position) {
	_ = c.writer.SendOne(frame.Encode(nil, frame.Text, func(dst []byte) []byte {
		return protocol.AppendOK(dst, protocol.OK{ID: request, Room: room, Epoch: from.Epoch, Offset: from.Offset})
	}))
}

func (c *conn) Rescue() {
	if v := recover(); v != nil { //nolint:revive // it is what is deferred
		c.rescue(v)
	}
}

func (c *conn) Config() *wire.Config       { return &c.conf }
func (c *conn) WriterFailed(error)         {}
func (c *conn) WriterFull()                {}
func (c *conn) WriterBehind(*frame.Source) {}

var errAway = errors.New("away")
