package brokertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
)

// world is a World during one check.
type world struct {
	World
	t         testing.TB
	ctx       context.Context // ends with the check
	disturbed bool            // the check broke something: states may change
}

func newWorld(t testing.TB, w World) *world {
	if w.Deadline == 0 {
		w.Deadline = DefaultDeadline
	}
	return &world{World: w, t: t, ctx: t.Context()}
}

// room is a room name that nobody else uses.
func (w *world) room(label string) string { return label + ":" + rand.Text()[:12] }

// node is a broker and its receiver.
type node struct {
	broker.Broker
	w   *world
	id  string
	rec *Recorder
}

// node starts a new node, and ends it with the check.
func (w *world) node() *node {
	w.t.Helper()
	rec := NewRecorder()
	return w.nodeOf(rec, rec)
}

// nodeOf is node with a receiver that tells rec all it is told.
func (w *world) nodeOf(rec *Recorder, receiver broker.Receiver) *node {
	w.t.Helper()
	n := &node{w.NewNode(w.t), w, "node-" + rand.Text()[:12], rec}
	if err := n.Start(w.ctx, n.id, receiver); err != nil {
		w.t.Fatalf("Start: %v", err)
	}
	w.t.Cleanup(n.end)
	return n
}

// pair is a node to publish on and one to listen on: two where the world has room for them.
func (w *world) pair() (pub, sub *node) {
	w.t.Helper()
	pub = w.node()
	if w.Nodes == 1 {
		return pub, pub
	}
	return pub, w.node()
}

// end closes the node, unless the check has, and reports what its receiver did not like.
func (n *node) end() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.w.ctx), n.w.Deadline)
	defer cancel()
	if err := n.Close(ctx); err != nil && !errors.Is(err, broker.ErrClosed) {
		n.w.t.Errorf("Close: %v", err)
	}
	n.rec.Seal()
	if err := n.rec.Err(); err != nil {
		n.w.t.Errorf("receiver of %s: %v", n.id, err)
	}
	if s := n.rec.States(); len(s) > 0 && !n.w.disturbed {
		n.w.t.Errorf("receiver of %s: states %v, want none: nothing was lost", n.id, s)
	}
}

// wait waits until the receiver has what is asked for.
func (n *node) wait(what string, done func(*Recorder) bool) {
	n.w.t.Helper()
	ctx, cancel := context.WithTimeout(n.w.ctx, n.w.Deadline)
	defer cancel()
	if err := n.rec.Wait(ctx, done); err != nil {
		n.w.t.Fatalf("waiting for %s: %v; heard: %s", what, err, n.rec)
	}
}

// waitFor waits until the receiver has so many messages of a room, and returns them.
func (n *node) waitFor(room string, count int) []broker.Message {
	n.w.t.Helper()
	n.wait(fmt.Sprintf("%d messages of %s", count, room), func(r *Recorder) bool { return len(r.Messages(room)) >= count })
	ms := n.rec.Messages(room)
	if len(ms) > count {
		n.w.t.Fatalf("%s: %d messages, want %d", room, len(ms), count)
	}
	return ms
}

func (n *node) subscribe(rooms ...string) {
	n.w.t.Helper()
	if err := n.Subscribe(n.w.ctx, rooms...); err != nil {
		n.w.t.Fatalf("Subscribe to %d rooms: %v", len(rooms), err)
	}
}

func (n *node) unsubscribe(rooms ...string) {
	n.w.t.Helper()
	if err := n.Unsubscribe(n.w.ctx, rooms...); err != nil {
		n.w.t.Fatalf("Unsubscribe from %d rooms: %v", len(rooms), err)
	}
}

func (n *node) publish(room string, p broker.Publication) broker.Result {
	n.w.t.Helper()
	res, err := n.Publish(n.w.ctx, room, p)
	if err != nil {
		n.w.t.Fatalf("Publish to %s: %v", room, err)
	}
	return res
}

func (n *node) read(room string, q broker.Query) broker.Page {
	n.w.t.Helper()
	page, err := n.Broker.(broker.History).Read(n.w.ctx, room, q)
	if err != nil {
		n.w.t.Fatalf("Read %s %+v: %v", room, q, err)
	}
	return page
}

// eventually asks until the answer is yes, for what nobody is told of: that something expired.
func (w *world) eventually(what string, done func() bool) {
	w.t.Helper()
	for end := time.Now().Add(w.Deadline); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// text is a publication without anything special.
func text(format string, args ...any) broker.Publication {
	return broker.Publication{Data: fmt.Appendf(nil, format, args...)}
}
