package broker_test

import (
	"bytes"
	"encoding"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
)

var (
	_ encoding.BinaryAppender    = (*broker.Meta)(nil)
	_ encoding.BinaryUnmarshaler = (*broker.Meta)(nil)
)

var fullMeta = broker.Meta{
	Publisher: &broker.Publisher{Conn: "n1-7", User: "ada", Info: []byte(`{"name":"Ada"}`)},
	Time:      1_700_000_000_123,
	Tags:      map[string]string{"kind": "order", "": "no key", "empty": "", "größe": "\x00\xff"},
	Trace:     broker.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "rojo=1"},
	Except:    broker.Except{Conn: "n1-7", Session: "n1-7.x"},
}

var metaTests = []broker.Meta{
	{},
	{Publisher: &broker.Publisher{}},
	{Publisher: &broker.Publisher{User: "ada"}},
	{Time: 1},
	{Tags: map[string]string{"": ""}},
	{Tags: map[string]string{strings.Repeat("k", 300): strings.Repeat("v", 70_000)}},
	{Trace: broker.Trace{Parent: "p"}},
	{Except: broker.Except{Session: "s"}},
	fullMeta,
}

// What is written is what is read, and the same Meta is always written in the same way.
func TestMetaBinary(t *testing.T) {
	for _, m := range metaTests {
		p := binaryOf(t, &m)
		var got broker.Meta
		if err := got.UnmarshalBinary(p); err != nil || !got.Equal(&m) {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
		if again := binaryOf(t, &got); !bytes.Equal(again, p) {
			t.Errorf("%+v is written as %q, and then as %q", m, p, again)
		}
		clear(p)
		if !got.Equal(&m) {
			t.Errorf("%+v keeps what it was read from", m)
		}
	}
	var none *broker.Meta
	if p := binaryOf(t, none); len(p) != 0 {
		t.Errorf("no Meta is written as %q", p)
	}
}

func binaryOf(t testing.TB, m *broker.Meta) []byte {
	t.Helper()
	p, err := m.AppendBinary([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimPrefix(p, []byte("before"))
}

// A later version may add parts: they are left out.
func TestMetaUnknownParts(t *testing.T) {
	p := append([]byte{200, 3, 'n', 'e', 'w'}, binaryOf(t, &fullMeta)...)
	p = append(p, 99, 0)
	var got broker.Meta
	if err := got.UnmarshalBinary(p); err != nil || !got.Equal(&fullMeta) {
		t.Errorf("with unknown parts: %+v, %v", got, err)
	}
}

func TestMetaBroken(t *testing.T) {
	for _, s := range []string{"\x01", "\x01\x05abcd", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x04\x00", "\x04\x02\x01\x01",
		"\x04\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x05\x00", "\x05\x02\x05k"} {
		var m broker.Meta
		if err := m.UnmarshalBinary([]byte(s)); err == nil {
			t.Errorf("%q was read as %+v", s, m)
		}
	}
}

func TestMetaEqual(t *testing.T) {
	other := fullMeta
	other.Publisher = &broker.Publisher{Conn: "n1-7", User: "ada"}
	for i, c := range []struct {
		a, b *broker.Meta
		want bool
	}{
		{nil, nil, true},
		{nil, &broker.Meta{}, true},
		{&broker.Meta{Tags: map[string]string{}}, nil, true},
		{&fullMeta, nil, false},
		{nil, &fullMeta, false},
		{&fullMeta, &fullMeta, true},
		{&fullMeta, &other, false},
		{&broker.Meta{Time: 1}, &broker.Meta{Time: 1, Publisher: &broker.Publisher{}}, false},
	} {
		if got := c.a.Equal(c.b); got != c.want {
			t.Errorf("case %d: equal: %v, want %v", i, got, c.want)
		}
	}
	var none *broker.Meta
	if none.Size() != 0 || fullMeta.Size() < len(binaryOf(t, &fullMeta)) {
		t.Errorf("sizes %d and %d", none.Size(), fullMeta.Size())
	}
}

func FuzzMeta(f *testing.F) {
	for _, m := range metaTests {
		f.Add(binaryOf(f, &m))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var m, again broker.Meta
		if m.UnmarshalBinary(p) != nil {
			return
		}
		if m.Size() < 0 {
			t.Fatalf("size %d", m.Size())
		}
		if err := again.UnmarshalBinary(binaryOf(t, &m)); err != nil || !again.Equal(&m) {
			t.Fatalf("%q became %+v and then %+v, %v", p, m, again, err)
		}
	})
}
