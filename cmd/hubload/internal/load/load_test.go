package load

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMarks(t *testing.T) {
	b := newMessage(60)
	want := mark{sent: 1_700_000_000_123_456_789, run: 0xdeadbeef, stream: 7, seq: 1 << 31}
	want.stamp(b)
	frame := `{"data":"MSG:no` + string(b) + `"}` + string(b)
	data := []byte(frame)
	for range 2 {
		got, rest, ok := next(data)
		if !ok || got != want {
			t.Fatalf("%+v, %t; want %+v", got, ok, want)
		}
		data = rest
	}
	if _, _, ok := next(data); ok {
		t.Error("a third message")
	}
	if _, _, ok := next(b[:43]); ok {
		t.Error("a message that is cut is one")
	}
}

func FuzzNext(f *testing.F) {
	b := newMessage(44)
	f.Add(b)
	f.Add([]byte("MSG:MSG:0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			_, rest, ok := next(b)
			if !ok {
				return
			}
			if len(rest) >= len(b) {
				t.Fatalf("%d bytes are left of %d", len(rest), len(b))
			}
			b = rest
		}
	})
}

// The window agrees with a set of all that came, for what is not older than it is wide.
func TestWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var w window
	seen := map[uint32]bool{}
	var top uint32
	for range 100_000 {
		seq := uint32(max(0, int(top)+rng.IntN(40)-30))
		fresh, ordered := w.take(seq)
		if fresh == seen[seq] {
			t.Fatalf("seq %d: fresh %t, but came before %t", seq, fresh, seen[seq])
		}
		if want := seq >= top; fresh && ordered != want {
			t.Fatalf("seq %d: ordered %t, want %t", seq, ordered, want)
		}
		seen[seq] = true
		top = max(top, seq+1)
	}
	w = window{}
	w.take(1000)
	if fresh, _ := w.take(1000 - 64); fresh {
		t.Error("what is too old to know is fresh")
	}
	if fresh, _ := w.take(1000 - 63); !fresh {
		t.Error("the oldest that is known is not fresh")
	}
}

func TestHistogramsMergeExactly(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	whole, merged := NewHistograms(), NewHistograms()
	for range 5 {
		part := NewHistograms()
		for range 1000 {
			d := time.Duration(rng.Int64N(int64(2 * time.Minute)))
			record(part.Delivery, d)
			record(whole.Delivery, d)
		}
		record(part.Connect, 0)
		record(whole.Connect, 0)
		packed, err := part.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if packed[2] != "" {
			t.Error("an empty histogram is sent")
		}
		back, err := packed.Unpack()
		if err != nil {
			t.Fatal(err)
		}
		merged.Merge(back)
	}
	for i := range whole.all() {
		if !reflect.DeepEqual(whole.all()[i].Export(), merged.all()[i].Export()) {
			t.Errorf("histogram %d is not what one process would have", i)
		}
	}
	if _, err := (Packed{"AAAAAAAAAAAAAAAA"}).Unpack(); err == nil {
		t.Error("nonsense is a histogram")
	}
}

// A counter that Add forgets would be zero in every report.
func TestAddAddsEveryCounter(t *testing.T) {
	var one, sum Counters
	v := reflect.ValueOf(&one).Elem()
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(i) + 1)
	}
	sum.Add(one)
	if sum != one {
		t.Errorf("%+v, want %+v", sum, one)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	r := Reasons{}
	for i := range 1000 {
		r.Count(strings.Repeat("x", i))
	}
	if len(r) > maxReasons+1 || r["other"] != 1000-maxReasons {
		t.Errorf("%d reasons, %d others", len(r), r["other"])
	}
}

func TestPublishIDsDifferFromJoins(t *testing.T) {
	if id := publishID(0, 0); id <= 1000 {
		t.Errorf("id %d is that of a join", id)
	}
	if id := publishID(1<<32-1, 999); id > 1<<53-1 || id&(1<<placeBits-1) != 999 {
		t.Errorf("id %d", id)
	}
}
