package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/client"
)

// item is what is published: a publisher's messages are numbered from 0.
type item struct{ From, N int }

// member is a client in the room. It checks every message as it comes: each once, in the order of the room, and of its
// publisher.
type member struct {
	c *client.Client

	mu      sync.Mutex
	socket  net.Conn
	nodes   []string       // it was on, one for each connection
	lost    map[string]int // connections, by node
	refused []error        // handshakes that failed
	offset  uint64         // of the last message
	next    map[int]int    // number of each publisher's next message
	fault   string         // the first
}

// join makes a member whose address is from, or any where that is nil.
func join(t testing.TB, addr string, from net.IP) *member {
	t.Helper()
	m := &member{lost: make(map[string]int), next: make(map[int]int)}
	retry, err := backoff.New(backoff.WithBase(20*time.Millisecond), backoff.WithFirst(100*time.Millisecond), backoff.WithCap(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if from != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: from}
	}
	m.c, err = client.New("ws://"+addr+"/ws", client.WithBackoff(retry), client.OnState(m.state),
		client.WithDialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err == nil {
				m.mu.Lock()
				m.socket = conn
				m.mu.Unlock()
			}
			return conn, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := m.c.Subscribe(room, m.take,
		client.OnGap(func(g client.Gap) { m.failed("a gap: %+v", g) }), client.OnError(func(err error) { m.failed("the room: %v", err) }))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := m.c.Run(context.Background()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		_ = m.c.Close()
		running.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := sub.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "word of the connection", func() bool { // callbacks come behind
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.nodes) > 0
	})
	return m
}

// crowd is n members, each from a network of its own.
func crowd(t testing.TB, r *running, n int) []*member {
	t.Helper()
	members := make([]*member, n)
	for i := range members {
		members[i] = join(t, r.addr, net.IPv4(127, byte(i/200), byte(1+i%200), 1))
	}
	return members
}

func (m *member) state(s client.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case s.Status == client.Connected:
		m.nodes = append(m.nodes, s.Node)
	case s.Status != client.Disconnected:
	case len(m.nodes) > m.losses():
		m.lost[m.nodes[len(m.nodes)-1]]++
	default:
		m.refused = append(m.refused, s.Err)
	}
}

func (m *member) losses() (n int) {
	for _, k := range m.lost {
		n += k
	}
	return n
}

func (m *member) take(msg client.Message) {
	var it item
	if err := json.Unmarshal(msg.Data, &it); err != nil {
		m.failed("message %d: %v", msg.Position.Offset, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if msg.Position.Offset != m.offset+1 || it.N != m.next[it.From] {
		m.fail("after offset %d came %d with %+v, when number %d was next", m.offset, msg.Position.Offset, it, m.next[it.From])
	}
	m.offset, m.next[it.From] = msg.Position.Offset, it.N+1
}

func (m *member) failed(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail(format, args...)
}

func (m *member) fail(format string, args ...any) {
	if m.fault == "" {
		m.fault = fmt.Sprintf(format, args...)
	}
}

// at returns the node it is on, or was last, and how many connections it has had.
func (m *member) at() (node string, connections int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nodes[len(m.nodes)-1], len(m.nodes)
}

// cut ends the member's connection, and returns when it has another.
func (m *member) cut(t testing.TB) {
	t.Helper()
	m.mu.Lock()
	had := len(m.nodes)
	_ = m.socket.Close()
	m.mu.Unlock()
	eventually(t, "a new connection", func() bool { _, n := m.at(); return n > had })
}

// load publishes through some of the members.
type load struct {
	t       testing.TB
	members []*member
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	sent    []atomic.Int64
}

// publish starts so many publishers.
func publish(t testing.TB, members []*member, publishers int, every time.Duration) *load {
	l := &load{t: t, members: members, sent: make([]atomic.Int64, publishers)}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	for from := range publishers {
		l.tasks.Go(func() {
			for n := 0; pause(ctx, every); n++ {
				// Not ctx: a message that was begun is to be answered.
				if _, err := members[from].c.Publish(context.Background(), room, fmt.Appendf(nil, `{"From":%d,"N":%d}`, from, n)); err != nil {
					t.Errorf("publisher %d: message %d: %v", from, n, err)
					return
				}
				l.sent[from].Add(1)
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) end() {
	l.stop()
	l.tasks.Wait()
}

func (l *load) total() (n uint64) {
	for i := range l.sent {
		n += uint64(l.sent[i].Load())
	}
	return n
}

// more waits until n more messages were accepted.
func (l *load) more(n uint64) {
	l.t.Helper()
	want := l.total() + n
	eventually(l.t, "messages to be accepted", func() bool { return l.total() >= want })
}

// complete ends the load and checks that what was accepted, every member has: all of it, once, in order.
func (l *load) complete() {
	l.t.Helper()
	l.end()
	total := l.total()
	for i, m := range l.members {
		eventually(l.t, fmt.Sprintf("member %d to have all messages", i), func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.offset >= total
		})
	}
	time.Sleep(50 * time.Millisecond) // for what must not come
	for i, m := range l.members {
		m.mu.Lock()
		if m.fault != "" {
			l.t.Errorf("member %d: %s", i, m.fault)
		}
		for from := range l.sent {
			if got, want := m.next[from], int(l.sent[from].Load()); got != want {
				l.t.Errorf("member %d: %d messages of publisher %d, %d were accepted", i, got, from, want)
			}
		}
		if m.offset != total {
			l.t.Errorf("member %d is at offset %d, %d messages were accepted", i, m.offset, total)
		}
		for _, err := range m.refused {
			l.t.Errorf("member %d: a handshake failed: %v", i, err)
		}
		m.mu.Unlock()
	}
	l.t.Logf("%d messages to %d members", total, len(l.members))
}
