package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// item is what is published: a publisher's messages are numbered from 0.
type item struct{ From, N int }

// load publishes to one room, by several publishers at once. Each publishes one message after the other, every one
// with an idempotency key, and again, on whichever node, until it is accepted. It is what a careful
// application does.
type load struct {
	t     testing.TB
	room  string
	nodes []*node
	ctx   context.Context
	stop  context.CancelFunc
	tasks sync.WaitGroup
	sent  []atomic.Int64
	tries atomic.Int64
}

func startLoad(t testing.TB, room string, publishers int, nodes []*node) *load {
	l := &load{t: t, room: room, nodes: nodes, sent: make([]atomic.Int64, publishers)}
	l.ctx, l.stop = context.WithCancel(t.Context())
	for i := range publishers {
		l.tasks.Go(func() { l.publish(i) })
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) publish(from int) {
	at := from
	for l.ctx.Err() == nil {
		n := int(l.sent[from].Load())
		data, err := json.Marshal(item{from, n})
		if err != nil {
			panic(err)
		}
		l.tries.Add(1)
		err = l.nodes[at%len(l.nodes)].ask(nil, "/publish", string(data), "room", l.room, "key", fmt.Sprintf("%d/%d", from, n))
		if err != nil {
			at++
			time.Sleep(10 * time.Millisecond)
			continue
		}
		l.sent[from].Add(1)
		time.Sleep(time.Millisecond)
	}
}

func (l *load) total() (n int64) {
	for i := range l.sent {
		n += l.sent[i].Load()
	}
	return n
}

// more waits until n more messages were accepted.
func (l *load) more(n int64) {
	l.t.Helper()
	want := l.total() + n
	eventually(l.t, "messages to be accepted", func() bool { return l.total() >= want })
}

func (l *load) end() {
	l.stop()
	l.tasks.Wait()
}

// complete ends the load and checks that every reader has all of it: all that was accepted, in one order that is
// the same for everybody and that of each publisher, without a gap, nothing twice.
func (l *load) complete(readers []*reader) {
	l.t.Helper()
	l.end()
	total := int(l.total())
	for i, r := range readers {
		eventually(l.t, fmt.Sprintf("reader %d, a %s, to have all %d messages; it has %d", i, r.name, total, r.count()),
			func() bool { return r.count() >= total })
	}
	time.Sleep(50 * time.Millisecond) // for what must not come
	for i, r := range readers {
		r.mu.Lock()
		next := make([]int, len(l.sent))
		for k, it := range r.got {
			if it.From < 0 || it.N != next[it.From] {
				l.t.Errorf("reader %d, a %s: message %d is %+v, want number %d of that publisher", i, r.name, k, it, next[max(it.From, 0)])
				break
			}
			next[it.From]++
			if o := r.at[k].Offset; o != r.at[0].Offset+uint64(k) {
				l.t.Errorf("reader %d, a %s: message %d has offset %d after it began at %d", i, r.name, k, o, r.at[0].Offset)
				break
			}
			if it != readers[0].got[min(k, len(readers[0].got)-1)] {
				l.t.Errorf("reader %d, a %s: message %d is %+v, the first reader's is another", i, r.name, k, it)
				break
			}
		}
		if len(r.got) != total {
			l.t.Errorf("reader %d, a %s: %d messages, %d were accepted", i, r.name, len(r.got), total)
		}
		if r.gaps > 0 {
			l.t.Errorf("reader %d, a %s: %d gaps", i, r.name, r.gaps)
		}
		r.mu.Unlock()
	}
	l.t.Logf("%d messages in %d tries, to %d readers", total, l.tries.Load(), len(readers))
}
