package protocol_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// A hub has one for the other.
var _ = protocol.Publisher(broker.Publisher{})

func TestEventMeta(t *testing.T) {
	var e protocol.Event
	frame := protocol.AppendMessageWith(nil, "r", []byte("1"), "e", 9, &fullMeta)
	if err := e.Decode(frame); err != nil {
		t.Fatal(err)
	}
	m, err := e.Meta()
	clear(frame)
	if err != nil || !reflect.DeepEqual(m, &fullMeta) {
		t.Errorf("Meta() = %+v, %v", m, err)
	}
	for in, want := range map[string]*protocol.Meta{
		`{"op":"message","data":1}`:                       nil,
		`{"op":"message","data":1,"from":{}}`:             {From: &protocol.Publisher{}},
		`{"op":"message","data":1,"tags":{}}`:             {},
		`{"op":"message","data":1,"tags":{"a":"\u0062"}}`: {Tags: map[string]string{"a": "b"}},
	} {
		if err := e.Decode([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if m, err := e.Meta(); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%s: %+v, %v; want %+v", in, m, err, want)
		}
	}
	if err := e.Decode([]byte(`{"op":"message","from":{"user":5}}`)); err != nil {
		t.Fatal(err)
	}
	if m, err := e.Meta(); err == nil {
		t.Errorf("a user that is a number: %+v", m)
	}
}

func TestCheckTags(t *testing.T) {
	many := make(map[string]string)
	for i := range protocol.MaxTags {
		many[strings.Repeat("k", i+1)] = ""
	}
	for _, tt := range []struct {
		tags  map[string]string
		fault string
	}{
		{nil, ""},
		{many, ""},
		{map[string]string{strings.Repeat("é", 32): strings.Repeat("é", 128), "\"": "\x00"}, ""},
		{map[string]string{"": ""}, "1 to 64 bytes"},
		{map[string]string{strings.Repeat("k", 65): ""}, "1 to 64 bytes"},
		{map[string]string{"k": strings.Repeat("v", 257)}, "at most 256 bytes"},
		{map[string]string{"k\n": ""}, "control characters"},
		{map[string]string{"k\xff": ""}, "UTF-8"},
		{map[string]string{"k": "\xff"}, "must be UTF-8"},
	} {
		err := protocol.CheckTags(tt.tags)
		if (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%q: %v, want %q", tt.tags, err, tt.fault)
		}
	}
	many["one more"] = ""
	if err := protocol.CheckTags(many); err == nil {
		t.Errorf("%d tags were taken", len(many))
	}
}

func TestTraceContext(t *testing.T) {
	const id, zero = "0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"
	for s, want := range map[string]bool{
		trace:                                   true,
		"01-" + id + "-b7ad6b7169203331-00":     true,
		"fe-" + id + "-b7ad6b7169203331-ff-x.y": true,
		"fe-" + id + "-b7ad6b7169203331-ff-":    true,
		"":                                      false,
		trace + "-":                             false,
		trace + "0":                             false,
		"01" + trace[2:] + "0":                  false,
		"01" + trace[2:] + "- ":                 false,
		"01" + trace[2:] + "-" + strings.Repeat("x", 72): true,
		"01" + trace[2:] + "-" + strings.Repeat("x", 73): false,
		"ff-" + id + "-b7ad6b7169203331-01":              false,
		"00-" + zero + "-b7ad6b7169203331-01":            false,
		"00-" + id + "-0000000000000000-01":              false,
		strings.ToUpper(trace):                           false,
		"00_" + trace[3:]:                                false,
		"00-" + id + "_b7ad6b7169203331-01":              false,
		"00-" + id + "-b7ad6b7169203331_01":              false,
		"00-" + id + "-b7ad6b716920333g-01":              false,
		trace[:54]:                                       false,
	} {
		if got := protocol.ValidTraceParent(s); got != want {
			t.Errorf("traceparent %q: %v, want %v", s, got, want)
		}
	}
	for s, want := range map[string]bool{
		"":                              true,
		"rojo=00f067aa0ba902b7":         true,
		"a=1,b=2 , ,\tc=x y z":          true,
		"tenant@system=!~":              true,
		"0_-*/@=1":                      true,
		strings.Repeat("a=1,", 32):      true,
		strings.Repeat("a=1,", 33):      false,
		"a":                             false,
		"=1":                            false,
		"a=":                            false,
		"A=1":                           false,
		"_a=1":                          false,
		"a b=1":                         false,
		"a=b=c":                         false,
		"a=é":                           false,
		"a=\x7f":                        false,
		"a=" + strings.Repeat("v", 256): true,
		"a=" + strings.Repeat("v", 257): false,
		strings.Repeat("k", 257) + "=v": false,
		"a=" + strings.Repeat("v", 254) + ",b=" + strings.Repeat("v", 253): true,
		"a=" + strings.Repeat("v", 254) + ",b=" + strings.Repeat("v", 254): false,
	} {
		if got := protocol.ValidTraceState(s); got != want {
			t.Errorf("tracestate of %d bytes %q: %v, want %v", len(s), s, got, want)
		}
	}
}
