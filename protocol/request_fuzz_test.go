package protocol_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/protocol"
)

// object reads a frame a second time, with encoding/json, for comparison.
type object struct {
	raw map[string]json.RawMessage
	ok  bool
}

func readObject(frame []byte) object {
	o := object{ok: utf8.Valid(frame) && depth(frame) <= protocol.MaxDepth+1}
	if json.Unmarshal(frame, &o.raw) != nil || o.raw == nil {
		o.ok = false
	}
	return o
}

func (o *object) has(key string) bool {
	v, ok := o.raw[key]
	return ok && string(v) != "null"
}

func (o *object) need(keys ...string) {
	for _, key := range keys {
		o.ok = o.ok && o.has(key)
	}
}

func (o *object) text(key string) []byte {
	if !o.has(key) {
		return nil
	}
	var s string
	if json.Unmarshal(o.raw[key], &s) != nil {
		o.ok = false
	}
	return []byte(s)
}

func (o *object) integer(key string, most uint64) uint64 {
	if !o.has(key) {
		return 0
	}
	v, err := strconv.ParseUint(string(o.raw[key]), 10, 64)
	if err != nil || v > most {
		o.ok = false
	}
	return v
}

func (o *object) flag(key string) bool {
	var set bool
	if o.has(key) && json.Unmarshal(o.raw[key], &set) != nil {
		o.ok = false
	}
	return set
}

// limit counts what is above the largest as the largest, however many digits it has.
func (o *object) limit() int {
	if !o.has("limit") {
		return 0
	}
	digits := string(o.raw["limit"])
	if strings.Trim(digits, "0123456789") != "" {
		o.ok = false
		return 0
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if most := big.NewInt(protocol.MaxPage); !ok || n.Cmp(most) > 0 {
		n = most
	}
	return int(n.Int64())
}

func (o *object) position() protocol.Position {
	p := protocol.Position{Epoch: o.text("epoch"), Offset: o.integer("offset", protocol.MaxOffset)}
	if len(p.Epoch) == 0 {
		o.ok = o.ok && p.Offset == 0
		return protocol.Position{}
	}
	return p
}

// tags returns them as they were written.
func (o *object) tags() []byte {
	if !o.has("tags") {
		return nil
	}
	raw := []byte(o.raw["tags"])
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		o.ok = false
		return nil
	}
	for n := 1; d.More(); n++ {
		key, _ := d.Token()
		value, _ := d.Token()
		k, _ := key.(string)
		v, ok := value.(string)
		if !ok || n > protocol.MaxTags || k == "" || len(k) > protocol.MaxTagKey || strings.ContainsFunc(k, unicode.IsControl) || len(v) > protocol.MaxTagValue {
			o.ok = false
			return nil
		}
	}
	return raw
}

// What is good is said once more by the expressions of the specification.
var (
	traceParent = regexp.MustCompile(`^(?:00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?)$`)
	traceMember = regexp.MustCompile(`^[ \t]*(?:[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])?[ \t]*$`)
)

func goodTrace(parent, state []byte) bool {
	if parent == nil {
		return state == nil
	}
	p := string(parent)
	if !traceParent.MatchString(p) || len(p) > protocol.MaxTraceParent || strings.HasPrefix(p, "ff") || strings.HasPrefix(p, "00") && len(p) > 55 ||
		p[3:35] == strings.Repeat("0", 32) || p[36:52] == strings.Repeat("0", 16) {
		return false
	}
	members := 0
	for m := range strings.SplitSeq(string(state), ",") {
		if strings.Trim(m, " \t") != "" {
			members++
		}
		if !traceMember.MatchString(m) {
			return false
		}
	}
	return len(state) <= protocol.MaxTraceState && members <= 32
}

func (o *object) request() (q protocol.Request) {
	if !o.ok {
		return q
	}
	q.ID = o.integer("id", protocol.MaxID)
	data := []byte(o.raw["data"])
	switch op := string(o.text("op")); op {
	case "hello":
		q.Op, q.Token, q.Session = protocol.OpHello, o.text("token"), o.text("session")
		q.Resume = o.resume()
	case "join":
		q.Op = protocol.OpJoin
		o.need("room")
		q.Room, q.Position = o.text("room"), o.position()
		q.History = int(o.integer("history", protocol.MaxHistory))
	case "leave":
		q.Op = protocol.OpLeave
		o.need("room")
		q.Room = o.text("room")
	case "presence":
		q.Op = protocol.OpPresence
		o.need("room", "id")
		q.Room, q.Count, q.After = o.text("room"), o.flag("count"), o.text("after")
		q.Limit = o.limit()
		o.ok = o.ok && q.ID != 0
	case "history":
		q.Op = protocol.OpHistory
		o.need("room", "id")
		q.Room, q.Position, q.Reverse = o.text("room"), o.position(), o.flag("reverse")
		q.Limit = o.limit()
		o.ok = o.ok && q.ID != 0
	case "token":
		q.Op = protocol.OpToken
		o.need("token", "id")
		q.Token, q.Room = o.text("token"), o.text("room")
		o.ok = o.ok && q.ID != 0 && (q.Room == nil || len(q.Room) > 0)
	case "publish":
		q.Op, q.Data = protocol.OpPublish, data
		o.need("room")
		q.Room, q.IdempotencyKey = o.text("room"), o.text("key")
		o.ok = o.ok && data != nil && len(q.IdempotencyKey) <= protocol.MaxIdempotencyKey && (q.IdempotencyKey == nil || len(q.IdempotencyKey) > 0)
		q.Tags, q.TraceParent, q.TraceState = o.tags(), o.text("traceparent"), o.text("tracestate")
		q.NoEcho = o.has("echo") && !o.flag("echo")
		o.ok = o.ok && goodTrace(q.TraceParent, q.TraceState)
	case "call":
		q.Op, q.Data, q.Method = protocol.OpCall, data, o.text("method")
		o.need("id", "method")
		o.ok = o.ok && len(q.Method) > 0 && q.ID != 0
	case "send":
		q.Op, q.Data = protocol.OpSend, data
		o.ok = o.ok && data != nil
	case "ping":
		q.Op = protocol.OpPing
	default:
		o.ok = false
	}
	return q
}

func (o *object) resume() (rs []protocol.Resume) {
	if !o.has("resume") {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(o.raw["resume"], &list) != nil || len(list) > protocol.MaxResume {
		o.ok = false
	}
	for _, raw := range list {
		e := readObject(raw)
		e.need("room")
		rs = append(rs, protocol.Resume{Room: e.text("room"), Position: e.position(), Joined: e.flag("joined")})
		o.ok = o.ok && e.ok
	}
	return rs
}

func FuzzRequest(f *testing.F) {
	for _, tt := range requestTests {
		f.Add([]byte(tt.in))
	}
	for _, tt := range validTests {
		f.Add([]byte(`{"op":"send","id":1,"data":` + tt.in + `}`))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := bytes.Clone(frame)
		var q protocol.Request
		err := q.Decode(frame)
		if !bytes.Equal(frame, before) {
			t.Fatal("Decode changed the frame")
		}
		o := readObject(frame)
		want := o.request()
		if (err == nil) != o.ok {
			t.Fatalf("Decode(%q) = %v, by encoding/json it is good: %t", frame, err, o.ok)
		}
		if err != nil {
			var e *protocol.Error
			if !errors.As(err, &e) || !utf8.ValidString(e.Message) {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if got := public(q); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\ngot  %+v\nwant %+v", frame, got, want)
		}

		again := protocol.AppendRequest(nil, &q)
		var q2 protocol.Request
		if err := q2.Decode(again); err != nil {
			t.Fatalf("written as %q: %v", again, err)
		}
		if !reflect.DeepEqual(tidy(q2), tidy(q)) {
			t.Fatalf("written as %q: got %+v, want %+v", again, q2, q)
		}
	})
}

// tidy makes no difference between an empty string and none, as AppendRequest does.
func tidy(q protocol.Request) protocol.Request {
	q = public(q)
	if len(q.After) == 0 {
		q.After = nil
	}
	if len(q.Token) == 0 {
		q.Token = nil
	}
	if len(q.Session) == 0 {
		q.Session = nil
	}
	if len(q.TraceState) == 0 {
		q.TraceState = nil
	}
	return q
}
