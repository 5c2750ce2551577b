package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	b := frame.NewBatch(0, s.get(room))
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
		b.Add(m, func(dst []byte) []byte { return append(dst, p...) })
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
		return r.backlog.flight > 0
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

// TestResumeAheadOfTheRoom: who has read further than the room has come gets nothing twice, even where the room's next
// batch has both what was read and what was not.
func TestResumeAheadOfTheRoom(t *testing.T) {
	r := stalledRig(t, 4, 1<<20)
	rooms, seq := make(sources), uint64(0)
	src := rooms.get("replay")
	send := func(messages ...string) {
		t.Helper()
		if _, _, err := r.Send(rooms.batch("replay", &seq, messages...), 0); err != nil {
			t.Fatal(err)
		}
	}
	send("1", "2", "3", "4")
	ahead := uint64(0)
	if err := r.Page(t.Context(), src, rooms.batch("replay", &ahead, "1", "2")); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(r.peer)
	expectFrames(t, br, "head", "1", "2")
	if err := r.Page(t.Context(), src, rooms.batch("replay", &ahead, "3", "4", "5", "6")); err != nil {
		t.Fatal(err)
	}
	expectFrames(t, br, "3", "4", "5", "6")
	if err := r.Drained(t.Context()); err != nil { // else there may be no place for what comes, and it falls behind anew
		t.Fatal(err)
	}
	r.Resume(src, ahead)
	send("5", "6", "7")
	expectFrames(t, br, "7")
	send("8")
	expectFrames(t, br, "8")
	if err := r.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := src.Account; a.Dropped.Load() != 0 || a.Delivered.Load() != 8 || r.lagging {
		t.Errorf("%d delivered, %d dropped, lagging: %v", a.Delivered.Load(), a.Dropped.Load(), r.lagging)
	}
}

// TestGapsInReplay: whatever is read, or is found to be missing, before or after it comes by the room, every message is
// counted once, as what the client saw of it. Every fourth of them is a skip in half of the runs, which counts as nothing.
func TestGapsInReplay(t *testing.T) {
	const messages = 60
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		r := stalledRig(t, 4, 1<<20)
		rooms := make(sources)
		src := rooms.get("replay")
		skip := func(n uint64) bool { return seed%2 == 1 && n%4 == 2 } // the message with index n, if it is not the last
		plain := func(from, to uint64) (count int64) {
			for n := from; n < to; n++ {
				if !skip(n) {
					count++
				}
			}
			return count
		}
		batch := func(from, to uint64) *frame.Batch {
			seq, texts := 2*from, []string(nil)
			for n := from; n < to; n++ {
				if skip(n) {
					texts = append(texts, fmt.Sprint("~", n+1))
				} else {
					texts = append(texts, fmt.Sprint(n+1))
				}
			}
			return rooms.batch("replay", &seq, texts...)
		}
		came, read := uint64(0), uint64(0)
		come := func(n uint64) {
			n = min(n, messages-came)
			if n == 0 {
				return
			}
			if _, _, err := r.Send(batch(came, came+n), 0); err != nil {
				t.Fatal(err)
			}
			came += n
		}
		come(4) // for which there is no place
		seen := make(chan int64)
		go func() {
			n := int64(-1) // for the head
			for br := bufio.NewReader(r.peer); ; {
				_, text, err := readFrame(br)
				if err != nil || text == fmt.Sprint(messages) {
					seen <- n + 1
					return
				}
				if text[0] != '~' {
					n++
				}
			}
		}()
		lost := int64(0)
		for read < messages-10 {
			n := 1 + rnd.Uint64N(3)
			switch rnd.IntN(3) {
			case 0:
				come(min(n, messages-10-came))
			case 1:
				lost += plain(read, read+n)
				read += n
				r.Skip(src, 2*read)
			default:
				if err := r.Page(t.Context(), src, batch(read, read+n)); err != nil {
					t.Fatal(err)
				}
				read += n
			}
		}
		if err := r.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		if came < read {
			come(rnd.Uint64N(read - came))
		}
		r.Resume(src, 2*read)
		for came < messages {
			come(1 + rnd.Uint64N(5))
			if err := r.Drained(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		got, a := <-seen, src.Account
		if a.Dropped.Load() != lost || a.Delivered.Load() != got || got+lost != plain(0, messages) || r.lagging {
			t.Fatalf("seed %d: %d delivered, %d dropped, want %d and %d; lagging: %v",
				seed, a.Delivered.Load(), a.Dropped.Load(), got, lost, r.lagging)
		}
	}
}

// TestNoTimeoutInReplay runs on the clock of a bubble: who reads from the history may take as long as he likes, and no
// longer than others once he has caught up.
func TestNoTimeoutInReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := generous
		conf.MaxMessages, conf.Timeout = 3, time.Minute
		r := newRig(t, conf, func(testing.TB) (conn, peer net.Conn) { return net.Pipe() })
		if err := r.SendOne(oneFrame("head")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // for it to be on its way
		rooms, seq := make(sources), uint64(0)
		for i := range 5 {
			if _, _, err := r.Send(rooms.batch("replay", &seq, fmt.Sprint(i)), 0); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(24 * time.Hour)
		r.notFailed(t)
		src := rooms.get("replay")
		if read, ok := r.Behind(src); !ok || read == 0 {
			t.Fatalf("Behind: %d, %v", read, ok)
		}
		caughtUp := time.Now()
		r.Resume(src, seq)
		err := r.failedOnce(t)
		if took := time.Since(caughtUp); !errors.Is(err, ErrTimeout) || took != conf.Timeout {
			t.Errorf("%v after %v", err, took)
		}
		_, _ = io.Copy(io.Discard, r.peer)
	})
}

// TestMemoryOfABacklog: what a stalled connection holds on to is in proportion to what waits for it, however large the batches
// are that it came in.
func TestMemoryOfABacklog(t *testing.T) {
	held := func(r *rig) (n int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i := range r.backlog.items {
			n += r.backlog.items[i].batch.Held()
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
			b := frame.NewBatch(1<<18, &r.source)
			b.Add(frame.Message{Opcode: frame.Text}, func(dst []byte) []byte { return append(dst, "hello"...) })
			if _, _, err := r.Send(b, 0); err != nil {
				t.Fatal(err)
			}
		}
		if n := held(r); n > 10<<10 {
			t.Errorf("%d bytes held", n)
		}
	})
}
