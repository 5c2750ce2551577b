package redis

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/gohubkit/hubkit/broker"
)

// encodeStored makes what the script makes.
func encodeStored(flags byte, at mark, before uint64, key, payload string) string {
	e := []byte{kindStored, flags}
	for _, n := range []uint64{at.offset, at.stamp, before} {
		e = binary.BigEndian.AppendUint64(e, n)
	}
	e = append(e, at.epoch...)
	if flags&flagKey != 0 {
		e = binary.BigEndian.AppendUint32(e, uint32(len(key)))
		e = append(e, key...)
	}
	return string(append(e, payload...))
}

func TestEnvelopes(t *testing.T) {
	for _, tt := range []struct {
		payload, key string
		binary, json bool
	}{
		{"", "", false, false},
		{"text", "", false, false},
		{"\x00\xff", "key", true, false},
		{"{}", "a\x00b", false, true},
		{"[]", "", false, true},
	} {
		m, err := decodeMessage(encodePlain(&broker.Publication{Data: []byte(tt.payload), ConflationKey: tt.key, Binary: tt.binary, JSON: tt.json}))
		if err != nil || string(m.Data) != tt.payload || m.ConflationKey != tt.key || m.Binary != tt.binary || m.JSON != tt.json || m.stored() || !m.Position.IsZero() {
			t.Errorf("%+v came back as %+v, %v", tt, m, err)
		}
	}
	at := mark{"0123456789ab", 7, 1_700_000_000_000_000}
	m, err := decodeMessage(encodeStored(flagBinary|flagKey, at, 6, "k", "data"))
	if err != nil || m.at != at || m.before != 6 || m.Position != at.position() || !m.Binary || m.ConflationKey != "k" || string(m.Data) != "data" {
		t.Errorf("stored message came back as %+v, %v", m, err)
	}
	from, payload, err := decodeCommand(encodeCommand("node", []byte("\x00x")))
	if err != nil || from != "node" || string(payload) != "\x00x" {
		t.Errorf("command came back as %q, %q, %v", from, payload, err)
	}
}

// FuzzDecode looks for envelopes that are read beyond their end, or taken for what they are not.
func FuzzDecode(f *testing.F) {
	f.Add(encodePlain(&broker.Publication{Data: []byte("data"), ConflationKey: "key", Binary: true, JSON: true}))
	f.Add(encodeStored(flagKey, mark{"0123456789ab", 1, 2}, 0, "k", "data"))
	f.Add(encodePlain(&broker.Publication{Data: []byte("data"), ConflationKey: "key", Meta: metas[2]}))
	f.Add(encodeCommand("node", []byte("x")))
	f.Add(`{"a":[1,2,3]}`)
	f.Add("\x01\x02\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, e string) {
		_, _, _ = decodeCommand(e)
		_, _ = decodeMember(e)
		m, err := decodeMessage(e)
		if err != nil {
			return
		}
		if len(m.Data)+len(m.ConflationKey) > len(e) {
			t.Errorf("%d bytes of payload and %d of key from %d", len(m.Data), len(m.ConflationKey), len(e))
		}
		switch e[0] {
		case kindPlain:
			again, err := decodeMessage(encodePlain(&broker.Publication{
				Data: m.Data, ConflationKey: m.ConflationKey, Binary: m.Binary, JSON: m.JSON, Meta: m.Meta,
			}))
			if err != nil || !again.Meta.Equal(m.Meta) || !bytes.Equal(again.Data, m.Data) || again.ConflationKey != m.ConflationKey || again.Binary != m.Binary || again.JSON != m.JSON {
				t.Errorf("%q became %+v and then %+v, %v", e, m, again, err)
			}
		case kindStored:
			if m.at.offset == 0 || len(m.at.epoch) != epochSize {
				t.Errorf("stored at %+v", m.at)
			}
		default:
			if !json.Valid([]byte(e)) || string(m.Data) != e {
				t.Errorf("%q taken for JSON", e)
			}
		}
	})
}
