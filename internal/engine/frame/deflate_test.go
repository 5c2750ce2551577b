package frame

import (
	"bytes"
	"compress/flate"
	"strings"
	"sync"
	"testing"
)

func newDeflater(t testing.TB) *Deflater {
	t.Helper()
	d, err := NewDeflater(flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNewDeflaterLevel(t *testing.T) {
	for level, ok := range map[int]bool{-3: false, -2: true, -1: true, 0: true, 9: true, 10: false} {
		if _, err := NewDeflater(level); (err == nil) != ok {
			t.Errorf("level %d: %v", level, err)
		}
	}
}

func TestGorillaInflates(t *testing.T) {
	const minSize = 64
	payloads := [][]byte{
		nil, payloadOf(minSize - 1), payloadOf(minSize), []byte(strings.Repeat("hello ", 1000)), payloadOf(70000),
	}
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
		d, err := NewDeflater(level)
		if err != nil {
			t.Fatal(err)
		}
		for _, least := range []int{0, minSize} {
			b := NewBatch(0, new(Source), 0)
			for i, p := range payloads {
				b.Add(Message{Opcode: byte(Text + i%2), Seq: uint64(i + 1)}, encoding(p))
			}
			ws := gorillaClient(t, true, b.Deflated(d, least).Wire(0))
			for i, p := range payloads {
				checkMessage(t, ws, Text+i%2, p)
			}
			checkEnd(t, ws)
		}
	}
}

func TestDeflatedKeepsTheShape(t *testing.T) {
	d := newDeflater(t)
	long := []byte(strings.Repeat("abc", 100))
	b := NewBatch(0, new(Source), 0)
	b.Add(Message{Opcode: Text, Seq: 10}, encoding([]byte("short")))
	b.Add(Message{Opcode: Binary, Seq: 20}, encoding(long))
	b.Add(Message{Opcode: Ping, Seq: 30}, encoding(payloadOf(125))) // never compressed, however long
	z := b.Deflated(d, 64)
	if z.Len() != 3 || z.Last() != 30 || z.After(10) != 1 || z.Source() != b.Source() {
		t.Errorf("Len, Last, After(10), Source = %d, %d, %d, %v", z.Len(), z.Last(), z.After(10), z.Source())
	}
	if z.Size() >= b.Size() || z.Size() != len(z.Wire(0)) {
		t.Errorf("%d bytes of %d", z.Size(), b.Size())
	}
	first := z.Wire(0)[:z.Size()-len(z.Wire(1))]
	if want := Append(nil, Text, []byte("short")); !bytes.Equal(first, want) {
		t.Errorf("short message %q, want %q", first, want)
	}
	if got := z.Wire(1)[0]; got != fin|rsv1|Binary {
		t.Errorf("first byte of a compressed frame %#x", got)
	}
	if want := Append(nil, Ping, payloadOf(125)); !bytes.Equal(z.Wire(2), want) {
		t.Errorf("ping %q, want %q", z.Wire(2), want)
	}
	if b.Deflated(d, 64) != z {
		t.Error("compressed twice")
	}
}

func TestDeflatedByMany(t *testing.T) {
	d := newDeflater(t)
	want := newBatchOf(50).Deflated(d, 0).Wire(0)
	for range 20 {
		b := newBatchOf(50)
		results := make([]*Batch, 8)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { results[i] = b.Deflated(d, 0) })
		}
		wg.Wait()
		for _, r := range results {
			if r != results[0] || !bytes.Equal(r.Wire(0), want) {
				t.Fatal("results differ")
			}
		}
	}
}

func newBatchOf(n int) *Batch {
	b := NewBatch(0, new(Source), 0)
	for i := range n {
		b.Add(Message{Opcode: Text, Seq: uint64(i + 1)}, encoding([]byte(strings.Repeat("message ", i))))
	}
	return b
}

func BenchmarkEncode(b *testing.B) {
	for _, bm := range []struct {
		name string
		size int
	}{{"100B", 100}, {"1KiB", 1 << 10}, {"100KiB", 100 << 10}} {
		b.Run(bm.name, func(b *testing.B) {
			encode := appending(payloadOf(bm.size))
			dst := make([]byte, 0, bm.size+MaxHeader)
			b.SetBytes(int64(bm.size))
			b.ReportAllocs()
			for b.Loop() {
				Encode(dst, Text, encode)
			}
		})
	}
}

func BenchmarkDeflate(b *testing.B) {
	d := newDeflater(b)
	p := []byte(strings.Repeat(`{"op":"message","room":"news","data":{"n":1}}`, 20))
	dst := make([]byte, 0, 2*len(p))
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		d.Append(dst, Text, p)
	}
}
