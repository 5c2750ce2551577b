package fanout

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gohubkit/hubkit/internal/engine/frame"
)

// picky is a member that some messages are not for.
type picky struct {
	member
	name string
}

func (p *picky) Excepted(who any) bool { return who == p.name }

// TestAddExcept: one member is sent what stands for a message or nothing, the others the message, and each is counted once for
// each who is sent it. A member that joined later gets none of what came before.
func TestAddExcept(t *testing.T) {
	for _, soon := range []bool{false, true} {
		r := newRig(t, 2, 1000, 1<<20)
		room := r.room()
		x, plain := &picky{name: "x"}, new(member)
		join(t, room, x)
		join(t, room, plain)
		var others []*picky
		for i := range 2 * chunkSize {
			p := &picky{name: fmt.Sprint(i)}
			others = append(others, p)
			join(t, room, p)
		}
		skip := &frame.Except{Who: "x", Instead: frame.Append(nil, frame.Text, []byte("skip"))}
		for n := range 10 {
			encode := func(dst []byte, _ frame.Form) []byte { return fmt.Append(dst, n) }
			switch n % 3 {
			case 0:
				room.AddExcept(soon, frame.Text, uint64(n+1), "", skip, encode)
			case 1:
				room.AddExcept(soon, frame.Text, uint64(n+1), "", &frame.Except{Who: "x"}, encode)
			default:
				room.Add(frame.Text, uint64(n+1), "", encode)
			}
		}
		r.Flush()
		if err := room.Sent(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
		if got, want := x.got(), []string{"skip", "2", "skip", "5", "skip", "8", "skip"}; !slices.Equal(got, want) {
			t.Errorf("the excepted one got %q, want %q", got, want)
		}
		for i, m := range append([]*member{plain}, members(others)...) {
			if got := m.got(); !slices.Equal(got, all) {
				t.Fatalf("member %d got %q", i, got)
			}
		}
	}
}

func members(ps []*picky) (ms []*member) {
	for _, p := range ps {
		ms = append(ms, &p.member)
	}
	return ms
}

// BenchmarkExcept is what it costs that one member of a room is excepted.
func BenchmarkExcept(b *testing.B) {
	for _, bc := range []struct {
		name   string
		except *frame.Except
	}{{"nobody", nil}, {"one", &frame.Except{Who: "0", Instead: frame.Append(nil, frame.Text, []byte("skip"))}}} {
		b.Run(bc.name, func(b *testing.B) {
			r := newRig(b, 1, 1000, 1<<20)
			room := r.room()
			for i := range 1000 {
				join(b, room, &deaf{name: fmt.Sprint(i)})
			}
			encode := func(dst []byte, _ frame.Form) []byte { return append(dst, "message"...) }
			b.ReportAllocs()
			for b.Loop() {
				if bc.except == nil {
					room.Add(frame.Text, 0, "", encode)
				} else {
					room.AddExcept(false, frame.Text, 0, "", bc.except, encode)
				}
				if err := room.Sent(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// deaf is a member that keeps nothing.
type deaf struct{ name string }

func (d *deaf) Excepted(who any) bool { return who == d.name }

func (d *deaf) Send(b *frame.Batch, from int) (int, bool, error) { return b.Len() - from, false, nil }
