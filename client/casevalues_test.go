package client_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/protocol"
)

// fill puts in what was bound.
func (r *caseRun) fill(v any) any {
	if name, ok := variable(v); ok {
		return r.bound[name]
	}
	o, ok := v.(object)
	if !ok {
		return v
	}
	filled := make(object, len(o))
	for k, v := range o {
		if filled[k] = v; k != "data" {
			filled[k] = r.fill(v)
		}
	}
	return filled
}

func (r *caseRun) same(got, want any) {
	r.t.Helper()
	if g, w := plain(got), plain(want); !reflect.DeepEqual(g, w) {
		r.t.Fatalf("got %s, want %s", text(g), text(w))
	}
}

func variable(v any) (string, bool) {
	s, _ := v.(string)
	return strings.CutPrefix(s, "$")
}

// normal takes out what is the same as nothing: an offset of 0 and an empty list.
func normal(v any) any {
	switch v := v.(type) {
	case object:
		n := make(object, len(v))
		for k, e := range v {
			if list, ok := e.([]any); ok && k == "resume" && len(list) == 0 || k == "offset" && e == 0.0 {
				continue
			}
			if n[k] = e; k != "data" {
				n[k] = normal(e)
			}
		}
		return n
	case []any:
		n := make([]any, len(v))
		for i, e := range v {
			n[i] = normal(e)
		}
		return n
	}
	return v
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func plain(v any) (p any) {
	if err := json.Unmarshal([]byte(text(v)), &p); err != nil {
		panic(err)
	}
	return p
}

func message(m client.Message) object {
	o := object{"data": m.Data}
	if m.Binary {
		o = object{"bin": []byte(m.Data)}
	}
	if m.Room != "" {
		o["room"] = m.Room
	}
	if !m.Position.IsZero() {
		o["epoch"], o["offset"] = m.Position.Epoch, m.Position.Offset
	}
	if m.Meta != nil {
		maps.Copy(o, plain(m.Meta).(object))
	}
	return o
}

func member(m client.Member) object {
	o := object{"conn": m.Conn}
	if m.User != "" {
		o["user"] = m.User
	}
	if m.Info != nil {
		o["info"] = m.Info
	}
	return o
}

func presence(p client.Presence) object {
	members := []object{}
	for _, m := range p.Members {
		members = append(members, member(m))
	}
	return object{"count": p.Count, "members": members}
}

// code is what an error is called in the cases.
func code(err error) string {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return string(e.Code)
	}
	if e, ok := errors.AsType[*client.LeftError](err); ok {
		return string(e.Code)
	}
	for of, name := range map[error]string{client.ErrDisconnected: "disconnected", client.ErrQueueFull: "queue_full", client.ErrClosed: "closed"} {
		if errors.Is(err, of) {
			return name
		}
	}
	return err.Error()
}
