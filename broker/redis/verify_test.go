package redis

import (
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// The script that reads on after a message notices when the history went another way before it or after it, also
// where it has gone further meanwhile, and then gives the room another epoch, once.
func TestReadAfterVerifies(t *testing.T) {
	s := redistest.Start(t)
	b, err := New([]string{s.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for _, tt := range []struct {
		name string
		last func(top mark, all []message) mark // what the asker had
		gap  bool
		new  bool // epoch
		read int
	}{
		{"the top", func(top mark, _ []message) mark { return top }, false, false, 0},
		{"one before", func(_ mark, all []message) mark { return all[3].at }, false, false, 1},
		{"the first", func(_ mark, all []message) mark { return all[0].at }, false, false, 4},
		{"nothing, from an empty room", func(mark, []message) mark { return mark{} }, false, false, 5},
		{"the beginning", func(top mark, _ []message) mark { return mark{top.epoch, 0, 0} }, false, false, 5},
		{"a later one", func(top mark, _ []message) mark { return mark{top.epoch, 6, top.stamp + 9} }, true, true, 0},
		{"another top", func(top mark, _ []message) mark { return mark{top.epoch, 5, top.stamp - 1} }, true, true, 0},
		{"another one before", func(_ mark, all []message) mark { return mark{all[2].at.epoch, 3, all[2].at.stamp + 1} }, true, true, 0},
	} {
		room := "verify " + tt.name
		channel := b.names.room(room)
		for range 5 {
			p := broker.Publication{Data: []byte("m"), Retention: broker.Retention{Size: 10, TTL: 1 << 40}}
			if _, err := b.Publish(t.Context(), room, p); err != nil {
				t.Fatal(err)
			}
		}
		before, err := b.readAfter(t.Context(), channel, mark{})
		if err != nil || len(before.messages) != 5 {
			t.Fatalf("%s: %+v, %v", tt.name, before, err)
		}
		last := tt.last(before.top, before.messages)
		p, err := b.readAfter(t.Context(), channel, last)
		if err != nil || p.gap != tt.gap || len(p.messages) != tt.read || (p.top.epoch != before.top.epoch) != tt.new || p.top.offset != 5 {
			t.Errorf("%s: %+v, %v; want gap %v, new epoch %v, %d messages", tt.name, p, err, tt.gap, tt.new, tt.read)
		}
		if again, err := b.readAfter(t.Context(), channel, last); err != nil || again.top != p.top {
			t.Errorf("%s: asked again: %+v, %v, want the same top", tt.name, again, err)
		}
		other, err := b.readAfter(t.Context(), channel, mark{"0123456789ab", 4, 1})
		want := mark{epoch: p.top.epoch} // the messages are all of this epoch, and come after the gap
		if tt.new {
			want = p.top // none is
		}
		if err != nil || !other.gap || other.top != want || other.more == tt.new {
			t.Errorf("%s: after another epoch: %+v, %v, want a gap at %+v", tt.name, other, err, want)
		}
		if tt.new {
			if p, err := b.readAfter(t.Context(), channel, p.top); err != nil || p.gap {
				t.Errorf("%s: after the new top: %+v, %v, want no gap", tt.name, p, err)
			}
		}
	}
}
