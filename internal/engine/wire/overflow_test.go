package wire

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// sources are rooms with an account each.
type sources map[string]*frame.Source

func (s sources) get(name string) *frame.Source {
	if s[name] == nil {
		policy := map[string]frame.Overflow{
			"disconnect": frame.Disconnect, "oldest": frame.DropOldest, "newest": frame.DropNewest,
			"conflate": frame.Conflate, "replay": frame.Replay,
		}[strings.TrimRight(name, "2")]
		s[name] = &frame.Source{Account: new(frame.Account), Overflow: policy}
	}
	return s[name]
}

// batch of a room. A message "k=v" has the key k; "+x" is an event, "!x" a notice, "~x" a skip; all are numbered on from seq.
func (s sources) batch(room string, seq *uint64, messages ...string) *frame.Batch {
	b := frame.NewBatch(0, s.get(room), 0)
	for _, p := range messages {
		var m frame.Message
		m.Opcode = frame.Text
		switch key, _, ok := strings.Cut(p, "="); {
		case p[0] == '+':
			m.Class = frame.Event
		case p[0] == '!':
			m.Class = frame.Notice
		case p[0] == '~':
			m.Class = frame.Skip
		case ok:
			m.Key = key
		}
		*seq += 2
		m.Seq = *seq
		b.Add(m, func(dst []byte, _ frame.Form) []byte { return append(dst, p...) })
	}
	return b
}

// stalledRig is a Writer with the bound that has been given one message, "head", which its peer does not take.
func stalledRig(t testing.TB, messages, bytes int) *rig {
	conf := generous
	conf.MaxMessages, conf.MaxBytes = messages, bytes
	r := newRig(t, conf, func(testing.TB) (conn, peer net.Conn) { return net.Pipe() })
	if err := r.SendOne(oneFrame("head")); err != nil {
		t.Fatal(err)
	}
	await(func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.backlog().flight > 0
	})
	return r
}

// TestPolicies has a backlog with five places, of which one is taken, and looks what comes out of it.
func TestPolicies(t *testing.T) {
	type counts map[string][4]int64 // delivered, dropped, conflated; events
	long := strings.Repeat("x", 998)
	for _, tt := range []struct {
		name   string
		sends  []string // "room: messages"; without a room it is a reply
		want   string
		counts counts
		fails  bool
		behind []string
	}{
		{name: "oldest", sends: []string{"oldest: 1", "oldest: 2", "oldest: 3", "oldest: 4", "oldest: 5", "oldest: 6"},
			want: "3 4 5 6", counts: counts{"oldest": {4, 2}}},
		{name: "oldest, in batches", sends: []string{"oldest: 1 2 3", "oldest: 4 5 6"},
			want: "3 4 5 6", counts: counts{"oldest": {4, 2}}},
		{name: "oldest, of what comes too", sends: []string{"oldest: a b", "oldest: 1 2 3 4 5 6 7"},
			want: "4 5 6 7", counts: counts{"oldest": {4, 5}}},
		{name: "oldest, by bytes", sends: []string{"oldest: 1", "oldest: " + long, "oldest: 2 " + long},
			want: "2 " + long, counts: counts{"oldest": {2, 2}}},
		{name: "oldest, of its own room only", sends: []string{"oldest2: a b", "oldest: 1 2", "oldest: 3 4 5"},
			want: "a b 4 5", counts: counts{"oldest": {2, 3}, "oldest2": {2, 0}}},
		{name: "oldest, none of its own", sends: []string{"newest: a b c d", "oldest: 1 2"},
			want: "a b c d", counts: counts{"oldest": {0, 2}, "newest": {4, 0}}},
		{name: "oldest, but no events", sends: []string{"oldest: +e 1 2 3", "oldest: 4 +f 5"},
			want: "+e 4 +f 5", counts: counts{"oldest": {2, 3, 0, 2}}},
		{name: "newest", sends: []string{"newest: 1", "newest: 2 3", "newest: 4 5 6", "newest: 7"},
			want: "1 2 3 4", counts: counts{"newest": {4, 3}}},
		{name: "newest, by bytes", sends: []string{"newest: 1 " + long, "newest: " + long + " 2", "newest: 3"},
			want: "1 " + long + " 3", counts: counts{"newest": {3, 2}}},
		{name: "newest, but no events", sends: []string{"newest: 1 2 3 4 +e 5", "newest: +f"},
			want: "2 3 +e +f", counts: counts{"newest": {2, 3, 0, 2}}},
		{name: "events alone are too many", sends: []string{"newest: 1 +a +b +c", "newest: +d +e"},
			fails: true, counts: counts{"newest": {0, 1}}},
		{name: "conflate", sends: []string{"conflate: a=1 b=1", "conflate: a=2", "conflate: c=1 a=3 c=2", "conflate: b=2"},
			want: "a=3 c=2 b=2", counts: counts{"conflate": {3, 0, 4}}},
		{name: "conflate without keys", sends: []string{"conflate: 1 2", "conflate: 3", "conflate: 4 +e 5"},
			want: "+e 5", counts: counts{"conflate": {1, 0, 4, 1}}},
		{name: "conflate, each room for itself", sends: []string{"conflate: a=1", "conflate2: a=2", "conflate: a=3"},
			want: "a=2 a=3", counts: counts{"conflate": {1, 0, 1}, "conflate2": {1, 0, 0}}},
		{name: "conflate with too many keys", sends: []string{"conflate: a=1 b=1 c=1 d=1", "conflate: a=2 e=1"},
			fails: true, counts: counts{"conflate": {0, 5, 1}}},
		{name: "a reply before what may be dropped", sends: []string{"newest: 1 2", "oldest: 3 4", "r", "s", "t"},
			want: "4 r s t", counts: counts{"newest": {0, 2}, "oldest": {1, 1}}},
		{name: "another room before what may be dropped", sends: []string{"oldest: 1 2 3 4", "disconnect: a b c"},
			want: "4 a b c", counts: counts{"oldest": {1, 3}, "disconnect": {3, 0}}},
		{name: "keys before what may be dropped", sends: []string{"oldest: 1 2 3 4", "conflate: a=1 b=1"},
			want: "3 4 a=1 b=1", counts: counts{"oldest": {2, 2}, "conflate": {2, 0, 0}}},
		{name: "too much all the same", sends: []string{"oldest: 1 2 3", "disconnect: a b c d e"},
			fails: true, counts: counts{"oldest": {0, 3}, "disconnect": {0, 5}}},
		{name: "replay", sends: []string{"replay: 1 2", "replay: 3 4 5", "replay: 6 +e 7"},
			want: "+e", behind: []string{"replay 1"}, counts: counts{"replay": {0, 0, 0, 1}}},
		{name: "replay, with what may be dropped before it", sends: []string{"oldest: a b", "replay: 1", "replay: 2 3 4"},
			want: "1 2 3 4", counts: counts{"replay": {4, 0, 0}, "oldest": {0, 2}}},
		{name: "replay, with too little that may be dropped", sends: []string{"oldest: a", "replay: 1 2", "replay: 3 4 5"},
			want: "a", behind: []string{"replay 3"}, counts: counts{"replay": {0, 0, 0}, "oldest": {1, 0}}},
		{name: "a reply before what can be replayed", sends: []string{"oldest: a", "replay: 1 2 3", "r"},
			want: "a r", behind: []string{"replay 3"}, counts: counts{"replay": {0, 0, 0}, "oldest": {1, 0}}},
		{name: "two rooms behind", sends: []string{"replay: 1 2", "replay2: 3 4", "r", "s t", "u"},
			want: "r s t u", behind: []string{"replay 1", "replay2 5"}, counts: counts{"replay": {0, 0, 0}, "replay2": {0, 0, 0}}},
		{name: "a notice of all that follows stays", sends: []string{"replay: !n 1 2", "replay: 3 4"},
			want: "!n", behind: []string{"replay 3"}, counts: counts{"replay": {0, 0, 0}}},
		{name: "a notice of what comes again does not", sends: []string{"replay: 1 !n 2", "replay: 3 4"},
			want: "", behind: []string{"replay 1"}, counts: counts{"replay": {0, 0, 0}}},
		{name: "skips are replayed too, and count as nothing", sends: []string{"replay: ~1 2 ~3", "replay: 4 ~5"},
			want: "", behind: []string{"replay 1"}, counts: counts{"replay": {0, 0, 0}}},
		{name: "skips alone are replayed", sends: []string{"replay: ~1 ~2 ~3", "replay: ~4 ~5 +e"},
			want: "+e", behind: []string{"replay 1"}, counts: counts{"replay": {0, 0, 0, 1}}},
		{name: "a reply before skips", sends: []string{"replay: ~1 ~2 ~3 ~4", "r"},
			want: "r", behind: []string{"replay 1"}, counts: counts{"replay": {0, 0, 0}}},
		{name: "skips that fit", sends: []string{"replay: 1 ~2", "replay: ~3 4"},
			want: "1 ~2 ~3 4", counts: counts{"replay": {2, 0, 0}}},
		{name: "too many skips in a room that is not replayed", sends: []string{"disconnect: 1 ~2", "disconnect: ~3 ~4 ~5"},
			fails: true, counts: counts{"disconnect": {0, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := stalledRig(t, 5, 2010)
			rooms := make(sources)
			seq, total := uint64(0), make(map[string]int)
			for _, s := range tt.sends {
				room, list, ok := strings.Cut(s, ": ")
				if !ok {
					for p := range strings.FieldsSeq(s) {
						if err := r.SendOne(oneFrame(p)); err != nil {
							t.Fatal(err)
						}
					}
					continue
				}
				messages := strings.Fields(list)
				total[room] += len(messages)
				sent, _, err := r.Send(rooms.batch(room, &seq, messages...), 0)
				if sent != 0 || err != nil != (tt.fails && s == tt.sends[len(tt.sends)-1]) {
					t.Fatalf("%s: %d sent, %v", s, sent, err)
				}
			}
			if tt.fails {
				if err := r.failedOnce(t); !errors.Is(err, ErrOverflow) {
					t.Errorf("the owner was told %v", err)
				}
			} else {
				br := bufio.NewReader(r.peer)
				expectFrames(t, br, append([]string{"head"}, strings.Fields(tt.want)...)...)
				if err := r.Drained(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for room, want := range tt.counts {
				a := rooms.get(room).Account
				if got := [4]int64{a.Delivered.Load(), a.Dropped.Load(), a.Conflated.Load(), a.Events.Load()}; got != want {
					t.Errorf("%s: delivered, dropped, conflated, events = %v, want %v", room, got, want)
				}
			}
			var behind []string
			for len(r.behind) > 0 {
				src := <-r.behind
				read, ok := r.Behind(src)
				for name, s := range rooms {
					if s == src && ok {
						behind = append(behind, fmt.Sprint(name, " ", read))
					}
				}
			}
			if !slices.Equal(behind, tt.behind) {
				t.Errorf("behind: %q, want %q", behind, tt.behind)
			}
			s := r.Stats()
			var sum [4]int64
			for _, c := range tt.counts {
				for i := range sum {
					sum[i] += c[i]
				}
			}
			if s.Delivered != sum[0] || s.Dropped != sum[1] || s.Conflated != sum[2] || s.Replaying != len(tt.behind) || s.Messages != 0 {
				t.Errorf("%+v, want %v", s, sum)
			}
		})
	}
}

// TestBegunMessagesAreFinished: of a message that is in the socket in part the rest follows, whatever is dropped behind it.
func TestBegunMessagesAreFinished(t *testing.T) {
	for _, room := range []string{"oldest", "newest", "conflate", "replay"} {
		t.Run(room, func(t *testing.T) {
			conf := generous
			conf.MaxMessages = 3
			r := newRig(t, conf, unixPair)
			rooms, seq := make(sources), uint64(0)
			big := strings.Repeat("big", 1<<20)
			if sent, retained, err := r.Send(rooms.batch(room, &seq, big, "1", "2"), 0); sent != 0 || !retained || err != nil {
				t.Fatalf("%d sent, %v, %v", sent, retained, err)
			}
			for i := range 20 {
				if _, _, err := r.Send(rooms.batch(room, &seq, fmt.Sprint("more", i)), 0); err != nil {
					t.Fatal(err)
				}
			}
			want := map[string][]string{"oldest": {"more18", "more19"}, "newest": {"1", "2"}, "conflate": {"more19"}}[room]
			expectFrames(t, bufio.NewReader(r.peer), append([]string{big}, want...)...)
			if err := r.Drained(t.Context()); err != nil {
				t.Fatal(err)
			}
			a := rooms.get(room).Account
			if got := a.Delivered.Load(); got != int64(1+len(want)) {
				t.Errorf("Delivered = %d", got)
			}
		})
	}
}

// TestMemoryOfABacklog: what a stalled connection holds on to is in proportion to what waits for it, however large the batches
// are that it came in.
func TestMemoryOfABacklog(t *testing.T) {
	held := func(r *rig) (n int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i := range r.backlog().items {
			n += r.backlog().items[i].batch.Held()
		}
		return n
	}
	t.Run("conflated", func(t *testing.T) {
		r := stalledRig(t, 1000, 1<<20)
		rooms, seq := make(sources), uint64(0)
		for i := range 100 { // each leaves one message of a hundred behind
			var messages []string
			for range 99 {
				messages = append(messages, "k="+strings.Repeat("x", 1000))
			}
			messages = append(messages, fmt.Sprintf("%d=", i))
			if _, _, err := r.Send(rooms.batch("conflate", &seq, messages...), 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, bytes := r.Backlog(); held(r) > sparse*bytes+100*spacious {
			t.Errorf("%d bytes held for %d that wait", held(r), bytes)
		}
	})
	t.Run("small messages in large buffers", func(t *testing.T) {
		r := stalledRig(t, 1000, 1<<20)
		for range 100 {
			b := frame.NewBatch(1<<18, &r.source, 0)
			b.Add(frame.Message{Opcode: frame.Text}, func(dst []byte, _ frame.Form) []byte { return append(dst, "hello"...) })
			if _, _, err := r.Send(b, 0); err != nil {
				t.Fatal(err)
			}
		}
		if n := held(r); n > 10<<10 {
			t.Errorf("%d bytes held", n)
		}
	})
}
