package brokertest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/broker"
)

var presenceChecks = []check{
	{"Presence", hasPresence, checkPresence},
	{"PresenceReplaced", hasPresence, checkPresenceReplaced},
	{"PresenceInterest", hasPresence, checkPresenceInterest},
	{"PresenceMany", hasPresence, checkPresenceMany},
}

func (n *node) enter(room string, m broker.Member) {
	n.w.t.Helper()
	if err := n.Broker.(broker.Presence).Enter(n.w.ctx, room, m); err != nil {
		n.w.t.Fatalf("Enter %s: %v", m.Conn, err)
	}
}

func (n *node) leave(room, conn string) {
	n.w.t.Helper()
	if err := n.Broker.(broker.Presence).Leave(n.w.ctx, room, conn); err != nil {
		n.w.t.Fatalf("Leave %s: %v", conn, err)
	}
}

// members waits until a room has the members given, as Members and Count see it.
func (n *node) members(room string, want ...broker.Member) {
	n.w.t.Helper()
	p := n.Broker.(broker.Presence)
	var got []broker.Member
	var count int
	n.w.eventually(fmt.Sprintf("members %+v", want), func() bool {
		var err1, err2 error
		got, err1 = p.Members(n.w.ctx, room, 0)
		count, err2 = p.Count(n.w.ctx, room)
		if err1 != nil || err2 != nil {
			n.w.t.Fatalf("Members: %v; Count: %v", err1, err2)
		}
		return len(got) == len(want) && count == len(want)
	})
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			n.w.t.Errorf("member %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

// changes waits for so many presence changes of a room and returns them as text: +conn and -conn.
func (n *node) changes(room string, count int) []string {
	n.w.t.Helper()
	var got []string
	n.wait(fmt.Sprintf("%d presence changes", count), func(r *Recorder) bool {
		got = nil
		for _, e := range r.Events(room) {
			switch {
			case e.Member == nil:
			case e.Joined:
				got = append(got, "+"+e.Member.Conn)
			default:
				got = append(got, "-"+e.Member.Conn)
			}
		}
		return len(got) >= count
	})
	return got
}

// Members come and go; every node counts them, and those subscribed are told.
func checkPresence(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("presence")
	pub.subscribe(room)
	sub.subscribe(room)
	a := broker.Member{Conn: "a", User: "ann", Info: json.RawMessage(`{"age":7}`)}
	b := broker.Member{Conn: "b"}
	c := broker.Member{Conn: "c", User: "cid"}
	sub.members(room)
	pub.enter(room, b)
	sub.members(room, b)
	sub.changes(room, 1)
	sub.enter(room, c)
	pub.changes(room, 2)
	pub.enter(room, a)
	sub.changes(room, 3)
	for _, n := range []*node{pub, sub} {
		n.members(room, a, b, c)
		ms, err := n.Broker.(broker.Presence).Members(w.ctx, room, 2)
		if err != nil || len(ms) != 2 || ms[0].Conn != "a" || ms[1].Conn != "b" {
			t.Errorf("Members, limit 2: %+v, %v; want a and b", ms, err)
		}
	}
	if p, ok := pub.Broker.(broker.PresencePages); ok {
		for after, want := range map[string]int{"": 3, "a": 2, "aa": 2, "b": 1, "c": 0, "d": 0} {
			ms, err := p.MembersAfter(w.ctx, room, after, 0)
			if err != nil || len(ms) != want || want > 0 && ms[want-1].Conn != "c" {
				t.Errorf("MembersAfter %q: %+v, %v; want the last %d", after, ms, err, want)
			}
		}
		if ms, err := p.MembersAfter(w.ctx, room, "a", 1); err != nil || len(ms) != 1 || ms[0].Conn != "b" {
			t.Errorf("MembersAfter, limit 1: %+v, %v; want b", ms, err)
		}
	}
	pub.leave(room, "b")
	sub.changes(room, 4)
	pub.leave(room, "b")
	pub.leave(room, "never seen")
	pub.leave(w.room("never seen"), "a")
	sub.leave(room, "c")
	pub.changes(room, 5)
	pub.leave(room, "a")
	want := []string{"+b", "+c", "+a", "-b", "-c", "-a"}
	for _, n := range []*node{pub, sub} {
		if got := n.changes(room, len(want)); !reflect.DeepEqual(got, want) {
			t.Errorf("changes %v, want %v", got, want)
		}
		n.members(room)
	}
	for _, e := range sub.rec.Events(room) {
		if e.Member.Conn == "a" && e.Joined && !reflect.DeepEqual(*e.Member, a) {
			t.Errorf("told of %+v, want %+v", *e.Member, a)
		}
	}
}

// Entering again replaces the Info and is not announced.
func checkPresenceReplaced(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("replaced")
	sub.subscribe(room)
	pub.enter(room, broker.Member{Conn: "a", Info: json.RawMessage(`1`)})
	pub.enter(room, broker.Member{Conn: "a", Info: json.RawMessage(`2`)})
	sub.members(room, broker.Member{Conn: "a", Info: json.RawMessage(`2`)})
	pub.leave(room, "a")
	if got := sub.changes(room, 2); !reflect.DeepEqual(got, []string{"+a", "-a"}) {
		t.Errorf("changes %v, want one coming and one going", got)
	}
}

// Rooms that are not subscribed have members too; the node is not told of them.
func checkPresenceInterest(t testing.TB, w *world) {
	pub, sub := w.pair()
	room, fence := w.room("quiet"), w.room("fence")
	sub.subscribe(fence)
	pub.enter(room, broker.Member{Conn: "a"})
	pub.enter(fence, broker.Member{Conn: "b"})
	sub.changes(fence, 1)
	sub.members(room, broker.Member{Conn: "a"})
	pub.leave(room, "a")
	pub.leave(fence, "b")
	sub.changes(fence, 2)
	if e := sub.rec.Events(room); len(e) > 0 {
		t.Errorf("%d presence changes of a room that was not subscribed", len(e))
	}
}

// Many at once are counted right, and each is announced once.
func checkPresenceMany(t testing.TB, w *world) {
	pub, sub := w.pair()
	room := w.room("many")
	sub.subscribe(room)
	const enterers, each = 8, 25
	var all sync.WaitGroup
	for i := range enterers {
		all.Go(func() {
			p := pub.Broker.(broker.Presence)
			for j := range each {
				if err := p.Enter(w.ctx, room, broker.Member{Conn: fmt.Sprintf("%d-%02d", i, j)}); err != nil {
					t.Errorf("Enter: %v", err)
				}
			}
		})
	}
	all.Wait()
	told := make(map[string]int)
	for _, c := range sub.changes(room, enterers*each) {
		told[c]++
	}
	want := make([]broker.Member, 0, enterers*each)
	for i := range enterers {
		for j := range each {
			conn := fmt.Sprintf("%d-%02d", i, j)
			want = append(want, broker.Member{Conn: conn})
			if told["+"+conn] != 1 {
				t.Errorf("told %d times of %s, want once", told["+"+conn], conn)
			}
		}
	}
	sub.members(room, want...)
}
