package redis

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
)

// before is an envelope of the version before there were Metas, as its Publish and its script made it, and what is in it.
type before struct {
	Envelope []byte
	Data     []byte
	Key      string
	Binary   bool
	JSON     bool
	Offset   uint64
	Epoch    string
}

func envelopesBefore(t *testing.T) (all []before) {
	t.Helper()
	p, err := os.ReadFile("testdata/envelopes-before-meta.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(p, &all); err != nil || len(all) == 0 {
		t.Fatalf("%d envelopes, %v", len(all), err)
	}
	return all
}

// What the version before has published and stored is read.
func TestEnvelopesOfVersionBefore(t *testing.T) {
	for _, x := range envelopesBefore(t) {
		m, err := decodeMessage(string(x.Envelope))
		if err != nil || !bytes.Equal(m.Data, x.Data) || m.ConflationKey != x.Key || m.Binary != x.Binary || m.JSON != x.JSON ||
			m.Meta != nil || m.Position.Offset != x.Offset || m.Position.Epoch != x.Epoch {
			t.Errorf("%s was read as %+v, %v", hex.EncodeToString(x.Envelope), m, err)
		}
	}
}

// What uses nothing of a Meta has the bytes that the version before gave it.
func TestEnvelopesWithoutMeta(t *testing.T) {
	for _, x := range envelopesBefore(t) {
		if x.Offset > 0 {
			continue
		}
		p := broker.Publication{Data: x.Data, ConflationKey: x.Key, Binary: x.Binary, JSON: x.JSON}
		if got := encodePlain(&p); got != string(x.Envelope) {
			t.Errorf("%x, was %x", got, x.Envelope)
		}
	}
}

// And so has what the script stores, but for the times in it.
func TestStoredWithoutMeta(t *testing.T) {
	s := redistest.Start(t)
	b := startInside(t, s)
	for _, x := range envelopesBefore(t) {
		if x.Offset == 0 {
			continue
		}
		p := broker.Publication{
			Data: x.Data, ConflationKey: x.Key, Binary: x.Binary, JSON: x.JSON, Retention: broker.Retention{Size: 100, TTL: time.Hour},
		}
		if _, err := b.Publish(t.Context(), "room", p); err != nil {
			t.Fatal(err)
		}
		got := []byte(s.Do("LINDEX", "hubkit:{room}:log", "-1"))
		timeless := func(e []byte) []byte { return slices.Concat(e[:10], e[storedHeader:]) }
		if !bytes.Equal(timeless(got), timeless(x.Envelope)) {
			t.Errorf("%x, was %x", got, x.Envelope)
		}
	}
}

func startInside(t *testing.T, s *redistest.Server) *Broker {
	t.Helper()
	b, err := New([]string{s.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context(), "node", brokertest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// readBefore is how the version before reads an envelope.
func readBefore(e string) (m message, err error) {
	if e == "" {
		return m, errEnvelope
	}
	var flags byte
	var rest string
	switch {
	case e[0] == kindPlain && len(e) >= 2:
		flags, rest = e[1], e[2:]
	case e[0] == kindStored && len(e) >= storedHeader:
		flags, rest = e[1], e[storedHeader:]
		m.at = mark{e[storedHeader-epochSize : storedHeader], number(e[2:]), number(e[10:])}
		m.before = number(e[18:])
		m.Position = m.at.position()
		if m.at.offset == 0 {
			return message{}, errEnvelope
		}
	case e[0] >= ' ' || e[0] == '\t' || e[0] == '\n' || e[0] == '\r':
		if m.Data = data(e); !protocol.Valid(m.Data) {
			return message{}, errEnvelope
		}
		m.JSON = true
		return m, nil
	default:
		return m, errEnvelope
	}
	if flags&2 != 0 {
		if len(rest) < 4 {
			return message{}, errEnvelope
		}
		size := binary.BigEndian.Uint32(data(rest[:4]))
		if rest = rest[4:]; uint64(size) > uint64(len(rest)) {
			return message{}, errEnvelope
		}
		m.ConflationKey, rest = rest[:size], rest[size:]
	}
	m.Binary, m.JSON = flags&1 != 0, flags&4 != 0
	m.Data = data(rest)
	return m, nil
}

var metas = []*broker.Meta{
	{},
	{Time: 1_700_000_000_000},
	{Publisher: &broker.Publisher{Conn: "c", User: "u", Info: []byte("{}")}, Tags: map[string]string{"a": "b", "\x00": ""}},
	{Except: broker.Except{Session: "s"}, Trace: broker.Trace{Parent: "p", State: "s"}},
}

// The version before reads what has a Meta, from the channel and from the log, and has its payload and its place right.
func TestVersionBeforeReadsMeta(t *testing.T) {
	s := redistest.Start(t)
	b := startInside(t, s)
	for i, meta := range metas {
		for _, key := range []string{"", "key"} {
			p := broker.Publication{Data: fmt.Appendf(nil, `{"i":%d}`, i), JSON: i%2 == 0, Binary: i == 1, ConflationKey: key, Meta: meta}
			stored := p
			stored.Retention = broker.Retention{Size: 100, TTL: time.Hour}
			res, err := b.Publish(t.Context(), "room", stored)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []string{encodePlain(&p), s.Do("LINDEX", "hubkit:{room}:log", "-1")} {
				now, err := decodeMessage(e)
				if err != nil || !bytes.Equal(now.Data, p.Data) || now.ConflationKey != key || !now.Meta.Equal(meta) || now.JSON != p.JSON || now.Binary != p.Binary {
					t.Errorf("%x was read as %+v, %v", e, now, err)
				}
				then, err := readBefore(e)
				if err != nil || !bytes.Equal(then.Data, now.Data) || then.JSON != now.JSON || then.Binary != now.Binary || then.at != now.at ||
					then.before != now.before || then.Position != now.Position {
					t.Errorf("%x is %+v to the version before, %v; want %+v", e, then, err, now)
				}
				if e[0] == kindStored && now.Position != res.Position {
					t.Errorf("stored at %+v, want %+v", now.Position, res.Position)
				}
			}
		}
	}
}

// A Meta that is cut short is no message: it is counted, and what follows it comes.
func TestBrokenMeta(t *testing.T) {
	good := encodePlain(&broker.Publication{Data: []byte("1"), ConflationKey: "k", Meta: &broker.Meta{Time: 1}})
	size := int(binary.BigEndian.Uint32([]byte(good[2:])))
	for n := range size {
		e := binary.BigEndian.AppendUint32([]byte{kindPlain, good[1]}, uint32(n))
		e = append(e, good[6:6+n]...)
		m, err := decodeMessage(string(append(e, '1')))
		if whole := n == 5; (err == nil) != whole { // without parts a Meta is empty
			t.Errorf("%d bytes of %d were read as %+v, %v", n, size, m, err)
		}
	}
	if _, err := decodeMessage(string([]byte{kindPlain, flagMeta, '1'})); err == nil {
		t.Error("a Meta without a place for it was read")
	}
}
