package protocol_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/protocol"
)

// The hub hands members of the broker to the encoders without copying them.
var _ = protocol.Member(broker.Member{})

func TestPresence(t *testing.T) {
	for _, tt := range []struct {
		in   protocol.Presence
		want string
	}{
		{protocol.Presence{Members: []protocol.Member{}}, `{"count":0,"members":[]}`},
		{protocol.Presence{Count: 9, Members: []protocol.Member{{Conn: "a"}, {Conn: "b", User: "u", Info: []byte("1")}}},
			`{"count":9,"members":[{"conn":"a"},{"conn":"b","user":"u","info":1}]}`},
	} {
		got := protocol.AppendPresence(nil, tt.in)
		if string(got) != tt.want {
			t.Errorf("wrote %s, want %s", got, tt.want)
		}
		back, err := protocol.ParsePresence(got)
		if err != nil || !reflect.DeepEqual(back, tt.in) {
			t.Errorf("read back %+v, %v, want %+v", back, err, tt.in)
		}
	}
}

func TestPresenceErrors(t *testing.T) {
	for _, in := range []string{"", "5", `{"conn":5,"count":"x"}`} {
		if p, err := protocol.ParsePresence([]byte(in)); err == nil || !reflect.DeepEqual(p, protocol.Presence{}) {
			t.Errorf("ParsePresence(%q) = %+v, %v", in, p, err)
		}
		if m, err := protocol.ParseMember([]byte(in)); err == nil || !reflect.DeepEqual(m, protocol.Member{}) {
			t.Errorf("ParseMember(%q) = %+v, %v", in, m, err)
		}
	}
}

// The info of a member may be as deep as any value, and still be read inside a presence list.
func TestPresenceOfTheDeepestInfo(t *testing.T) {
	info := []byte(strings.Repeat("[", protocol.MaxDepth) + strings.Repeat("]", protocol.MaxDepth))
	if !protocol.Valid(info) {
		t.Fatal("not valid")
	}
	data := protocol.AppendPresence(nil, protocol.Presence{Count: 1, Members: []protocol.Member{{Conn: "c", Info: info}}})
	var e protocol.Event
	if err := e.Decode(protocol.AppendOK(nil, protocol.OK{ID: 1, Data: data})); err != nil {
		t.Fatal(err)
	}
}
