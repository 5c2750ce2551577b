package memory_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/memory"
)

// snapshot closes a broker and returns what it writes.
func snapshot(t testing.TB, b *memory.Broker) []byte {
	t.Helper()
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := b.Snapshot(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// restored makes and starts a broker from a snapshot.
func restored(t testing.TB, snap []byte, opts ...memory.Option) *memory.Broker {
	t.Helper()
	b, err := memory.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(bytes.NewReader(snap)); err != nil {
		t.Fatal(err)
	}
	begin(t, b, brokertest.NewRecorder())
	return b
}

// sample is the snapshot of a broker that was used for everything.
func sample(t testing.TB) []byte {
	t.Helper()
	b, _ := start(t)
	if err := b.Subscribe(t.Context(), "a", "only subscribed"); err != nil {
		t.Fatal(err)
	}
	if err := b.Enter(t.Context(), "only entered", broker.Member{Conn: "c"}); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		publish(t, b, "a", broker.Publication{
			Data: fmt.Appendf(nil, "message %d", i), Binary: i%2 == 0, ConflationKey: strings.Repeat("k", i),
			IdempotencyKey: fmt.Sprint(i), Retention: broker.Retention{Size: 5, TTL: time.Hour},
		})
	}
	publish(t, b, "only keyed", broker.Publication{IdempotencyKey: "k"})
	read(t, b, "only read", broker.Query{Retention: kept})
	publish(t, b, "large", broker.Publication{Data: bytes.Repeat([]byte("x"), 70_000), Retention: kept})
	return snapshot(t, b)
}

// Clients resume over a restart as if there had been none: the positions go on, the messages are
// there, retries are still duplicates.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := start(t)
		long := broker.Retention{Size: 3, TTL: time.Hour}
		var last broker.Result
		for i := range 5 {
			last = publish(t, b, "room", broker.Publication{
				Data: fmt.Append(nil, i), Binary: i == 3, ConflationKey: "key", IdempotencyKey: fmt.Sprint(i), Retention: long,
			})
			time.Sleep(time.Second)
		}
		keyed := broker.Publication{Data: []byte("m"), IdempotencyKey: "k"}
		publish(t, b, "keyed", keyed)
		empty := read(t, b, "empty", broker.Query{Retention: long}).Top
		before := read(t, b, "room", broker.Query{Retention: long})
		snap := snapshot(t, b)

		b = restored(t, snap)
		if after := read(t, b, "room", broker.Query{Retention: long}); !reflect.DeepEqual(after, before) {
			t.Errorf("restored %+v, want %+v", after, before)
		}
		if top := read(t, b, "empty", broker.Query{Retention: long}).Top; top != empty || empty.IsZero() {
			t.Errorf("top of the empty room %+v, want %+v", top, empty)
		}
		retry := publish(t, b, "room", broker.Publication{IdempotencyKey: "4", Retention: long})
		if retry != (broker.Result{Position: last.Position, Duplicate: true}) {
			t.Errorf("retried publication: %+v, want the duplicate of %+v", retry, last)
		}
		if !publish(t, b, "keyed", keyed).Duplicate {
			t.Error("retried publication to a plain room was not known")
		}
		next := publish(t, b, "room", store("next")).Position
		if next != (broker.Position{Epoch: last.Position.Epoch, Offset: 6}) {
			t.Errorf("next position %+v after %+v", next, last.Position)
		}
		page := read(t, b, "room", broker.Query{Since: last.Position, Retention: long})
		if page.Gap || len(page.Messages) != 1 || string(page.Messages[0].Data) != "next" {
			t.Errorf("resumed since %+v: %+v, want the next message", last.Position, page)
		}
	})
}

// What messages carry beside their payloads is restored too. A snapshot without any is one that the version before can read.
func TestSnapshotMeta(t *testing.T) {
	meta := &broker.Meta{Time: 7, Tags: map[string]string{"a": "b"}, Publisher: &broker.Publisher{User: "ada"}}
	for _, with := range []bool{false, true} {
		b, _ := start(t)
		p := store("1")
		publish(t, b, "room", p)
		if with {
			p.Meta = meta
		}
		publish(t, b, "room", p)
		before := read(t, b, "room", broker.Query{Retention: kept})
		snap := snapshot(t, b)
		if version, want := snap[len("hubkitms")], map[bool]byte{false: 2, true: 3}[with]; version != want {
			t.Errorf("with a meta %v: version %d, want %d", with, version, want)
		}
		b = restored(t, snap)
		if after := read(t, b, "room", broker.Query{Retention: kept}); !reflect.DeepEqual(after, before) || after.Messages[1].Meta.Equal(meta) != with {
			t.Errorf("restored %+v, want %+v", after, before)
		}
		if with {
			snap[len("hubkitms")] = 2 // it has a message that its version cannot have
			b, err := memory.New()
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Restore(bytes.NewReader(sum(snap[:len(snap)-4]))); !errors.Is(err, memory.ErrSnapshot) {
				t.Errorf("a meta in version 2: %v, want ErrSnapshot", err)
			}
		}
	}
}

// A snapshot that the version before has written is restored.
func TestSnapshotOfVersionBefore(t *testing.T) {
	snap, err := os.ReadFile("testdata/snapshot-2")
	if err != nil {
		t.Fatal(err)
	}
	b := restored(t, snap)
	long := broker.Retention{Size: 5, TTL: 60 * 365 * 24 * time.Hour}
	page := read(t, b, "room", broker.Query{Retention: long})
	if len(page.Messages) != 3 || page.Top.Offset != 3 {
		t.Fatalf("%d messages up to %+v, want 3", len(page.Messages), page.Top)
	}
	for i, m := range page.Messages {
		if string(m.Data) != fmt.Sprint(i) || m.ConflationKey != strings.Repeat("k", i) || m.Binary != (i == 1) || m.JSON != (i == 2) || m.Meta != nil {
			t.Errorf("message %d: %+v", i, m)
		}
	}
}

// The time between the snapshot and the restore counts, for messages, keys and metadata.
func TestSnapshotAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := func() (broker.Position, []byte) {
			b, _ := start(t, memory.WithMetadataTTL(time.Hour))
			pos := publish(t, b, "room", store("old")).Position
			time.Sleep(30 * time.Second)
			publish(t, b, "room", store("new"))
			publish(t, b, "room", broker.Publication{IdempotencyKey: "k"})
			return pos, snapshot(t, b)
		}
		for _, c := range []struct {
			away           time.Duration
			messages       int
			known, forgott bool
		}{
			{0, 2, true, false},
			{29 * time.Second, 2, true, false},
			{30 * time.Second, 1, true, false},
			{time.Minute, 0, true, false},
			{broker.DefaultIdempotencyTTL, 0, false, false},
			{time.Hour - 1, 0, false, false},
			{time.Hour, 0, false, true},
		} {
			pos, snap := first()
			time.Sleep(c.away)
			b := restored(t, snap, memory.WithMetadataTTL(time.Hour))
			page := read(t, b, "room", broker.Query{Retention: kept})
			if len(page.Messages) != c.messages || (page.Top.Epoch != pos.Epoch) != c.forgott {
				t.Errorf("after %v: %d messages, top %+v; want %d, forgotten %v", c.away, len(page.Messages), page.Top, c.messages, c.forgott)
			}
			if known := publish(t, b, "room", broker.Publication{IdempotencyKey: "k"}).Duplicate; known != c.known {
				t.Errorf("after %v: key known %v, want %v", c.away, known, c.known)
			}
		}
	})
}

// The bound of the new broker holds for what it restores.
func TestRestoreWithinBound(t *testing.T) {
	b := restored(t, sample(t), memory.WithMaxHistoryBytes(10_000))
	if page := read(t, b, "large", broker.Query{}); len(page.Messages) != 0 || page.Top.Offset != 1 {
		t.Errorf("%d messages up to %+v, want none up to offset 1", len(page.Messages), page.Top)
	}
	if page := read(t, b, "a", broker.Query{}); len(page.Messages) == 0 {
		t.Error("the small room was dropped")
	}
}

func TestSnapshotIsDeterministic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		snap := sample(t)
		b, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Restore(bytes.NewReader(snap)); err != nil {
			t.Fatal(err)
		}
		if again := snapshot(t, b); !bytes.Equal(again, snap) {
			t.Errorf("%d bytes restored and written again are %d others", len(snap), len(again))
		}
	})
}

// Whatever is wrong with a snapshot is found, and the broker is as it was: the next one restores.
func TestRestoreRefuses(t *testing.T) {
	snap := sample(t)
	b, err := memory.New()
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, r io.Reader, cause error) {
		t.Helper()
		err := b.Restore(r)
		if !errors.Is(err, memory.ErrSnapshot) || cause != nil && !errors.Is(err, cause) {
			t.Errorf("%s: %v, want ErrSnapshot and %v", what, err, cause)
		}
	}
	// The large payload is one case, not 70,000.
	step := func(i int) int {
		if i > 1000 && i < len(snap)-1000 {
			return 10_000
		}
		return 1
	}
	for i := 0; i < len(snap); i += step(i) {
		refuse(fmt.Sprintf("cut at byte %d", i), bytes.NewReader(snap[:i]), io.ErrUnexpectedEOF)
	}
	for i := 0; i < len(snap); i += step(i) {
		bad := bytes.Clone(snap)
		bad[i] ^= 1
		refuse(fmt.Sprintf("bit wrong in byte %d", i), bytes.NewReader(bad), nil)
	}
	refuse("more after the end", io.MultiReader(bytes.NewReader(snap), strings.NewReader("x")), nil)
	refuse("error of the reader", iotest.TimeoutReader(iotest.HalfReader(bytes.NewReader(snap))), iotest.ErrTimeout)
	refuse("another version", bytes.NewReader(sum(append([]byte("hubkitms"), 2, 0, 0))), nil)
	if err := b.Restore(nil); !errors.Is(err, broker.ErrInvalid) {
		t.Errorf("nil reader: %v, want ErrInvalid", err)
	}
	if err := b.Restore(iotest.OneByteReader(bytes.NewReader(snap))); err != nil {
		t.Errorf("good snapshot: %v", err)
	}
	if err := b.Restore(bytes.NewReader(snap)); !errors.Is(err, memory.ErrRestored) {
		t.Errorf("good snapshot again: %v, want ErrRestored", err)
	}
}

// sum puts the checksum after a snapshot.
func sum(p []byte) []byte {
	return binary.BigEndian.AppendUint32(p, crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
}

// Nonsense is refused where the checksum is right, too.
func TestRestoreRefusesNonsense(t *testing.T) {
	const (
		room    = "\x01\x01r" // a room called r
		history = "\x01"
		keys    = "\x02"
		far     = "\xff\xff\xff\xff\xff\xff\xff\xff\x7f" // a number beyond all bounds
	)
	for what, body := range map[string]string{
		"tag":                  "\x02\x01r" + history + "\x01e\x00\x01\x00\x00\x00",
		"room name":            "\x01\x00" + history + "\x01e\x00\x01\x00\x00\x00",
		"no parts":             room + "\x00\x00",
		"unknown part":         room + "\x04\x00",
		"no epoch":             room + history + "\x00\x00\x01\x00\x00\x00",
		"no TTL":               room + history + "\x01e\x00\x00\x00\x00\x00",
		"more than the offset": room + history + "\x01e\x00\x01\x00\x01\x00\x00\x00\x00\x00",
		"offset":               room + history + "\x01e" + far + "\x01\x00\x00\x00",
		"TTL":                  room + history + "\x01e\x00" + far + "\x00\x00\x00",
		"message flags":        room + history + "\x01e\x01\x01\x00\x01\x02\x00\x00\x00\x00",
		"younger before older": room + history + "\x01e\x02\x01\x00\x02\x00\x01\x00\x00\x00\x02\x00\x00\x00",
		"length":               room + history + far,
		"no keys":              room + keys + "\x00\x00",
		"room twice":           room + history + "\x01e\x00\x01\x00\x00" + room + history + "\x01e\x00\x01\x00\x00\x00",
		"number":               strings.Repeat("\xff", 11),
	} {
		b, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		err = b.Restore(bytes.NewReader(sum([]byte("hubkitms\x01\x00" + body))))
		if !errors.Is(err, memory.ErrSnapshot) || strings.Contains(err.Error(), "checksum") {
			t.Errorf("%s: %v, want ErrSnapshot", what, err)
		}
	}
}

func TestSnapshotOutOfTurn(t *testing.T) {
	b, _ := start(t)
	if err := b.Snapshot(io.Discard); !errors.Is(err, memory.ErrNotClosed) {
		t.Errorf("Snapshot before Close: %v, want ErrNotClosed", err)
	}
	snap := sample(t)
	if err := b.Restore(bytes.NewReader(snap)); !errors.Is(err, memory.ErrStarted) {
		t.Errorf("Restore after Start: %v, want ErrStarted", err)
	}
	publish(t, b, "room", store("m"))
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(bytes.NewReader(snap)); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Restore after Close: %v, want ErrClosed", err)
	}
	full := errors.New("disk full")
	if err := b.Snapshot(failingWriter{full}); !errors.Is(err, full) {
		t.Errorf("Snapshot to a full disk: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// FuzzRestore feeds Restore with anything. What it takes must work and must survive another round.
func FuzzRestore(f *testing.F) {
	f.Add([]byte("hubkitms"), false)
	f.Add([]byte("hubkitms\x01\x00\x00"), true)
	f.Add([]byte("hubkitms\x01\x00\x01\x01r\x01\x01e\x05\x80\x80\x80\x80\x80\x10\x00\x01\x01\x00\x01k\x03abc\x00"), true)
	f.Add([]byte("hubkitms\x01\x00\x01\x01r\x02\x02\x01k\x01e\x05\x80\x80\x80\x80\x80\x10\x01k\x00\x00\x01\x00"), true)
	f.Fuzz(func(t *testing.T, snap []byte, summed bool) {
		if summed {
			snap = sum(snap)
		}
		b, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = b.Close(context.Background()) }()
		if err := b.Restore(bytes.NewReader(snap)); err != nil {
			if !errors.Is(err, memory.ErrSnapshot) {
				t.Fatalf("Restore: %v, want ErrSnapshot", err)
			}
			return
		}
		rec := brokertest.NewRecorder()
		if err := b.Start(context.Background(), "node", rec); err != nil {
			t.Fatal(err)
		}
		page := read(t, b, "r", broker.Query{Retention: kept})
		pos := publish(t, b, "r", store("m")).Position
		if pos.Epoch != page.Top.Epoch || pos.Offset != page.Top.Offset+1 {
			t.Fatalf("position %+v after %+v", pos, page.Top)
		}
		again, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Restore(bytes.NewReader(snapshot(t, b))); err != nil {
			t.Fatalf("what was restored cannot be restored again: %v", err)
		}
	})
}
