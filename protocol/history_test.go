package protocol_test

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/protocol"
)

func TestHistory(t *testing.T) {
	for _, tt := range []struct {
		in   protocol.History
		want string
	}{
		{protocol.History{Messages: []protocol.HistoryMessage{}}, `{"messages":[]}`},
		{protocol.History{Messages: []protocol.HistoryMessage{{Offset: 44, Data: []byte(`"b"`)}, {Offset: 43, Data: []byte(`[1]`)}}, More: true},
			`{"messages":[{"offset":44,"data":"b"},{"offset":43,"data":[1]}],"more":true}`},
		{protocol.History{Messages: []protocol.HistoryMessage{{Offset: 1, Data: []byte(`1`), Meta: &protocol.Meta{Time: 5, Tags: map[string]string{"a": "b"}}}}},
			`{"messages":[{"offset":1,"time":5,"tags":{"a":"b"},"data":1}]}`},
		{protocol.History{Messages: []protocol.HistoryMessage{{Offset: 1, Data: []byte(`1`), Meta: &fullMeta}}},
			string(bytes.Replace(protocol.AppendMessageWith([]byte(`{"messages":[`), "", []byte("1"), "", 0, &fullMeta), []byte(`"op":"message"`), []byte(`"offset":1`), 1)) + `]}`},
	} {
		got := protocol.AppendHistory(nil, tt.in)
		if string(got) != tt.want {
			t.Errorf("wrote %s, want %s", got, tt.want)
		}
		back, err := protocol.ParseHistory(got)
		if err != nil || !reflect.DeepEqual(back, tt.in) {
			t.Errorf("read back %+v, %v, want %+v", back, err, tt.in)
		}
	}
	if got, want := string(protocol.AppendHistory(nil, protocol.History{Messages: make([]protocol.HistoryMessage, 1)})),
		`{"messages":[{"offset":0,"data":null}]}`; got != want {
		t.Errorf("without data: %s, want %s", got, want)
	}
	for _, in := range []string{"", "5", `{"messages":5}`} {
		if h, err := protocol.ParseHistory([]byte(in)); err == nil || !reflect.DeepEqual(h, protocol.History{}) {
			t.Errorf("ParseHistory(%q) = %+v, %v", in, h, err)
		}
	}
}

// A history is read page by page to its end, whatever a page may hold: none is larger than it may be unless it has a single
// message, and each message comes once.
func TestHistoryPages(t *testing.T) {
	var all []protocol.HistoryMessage
	for i := range 30 {
		all = append(all, protocol.HistoryMessage{Offset: uint64(i) + 1, Data: []byte(strconv.Quote(strings.Repeat("x", i*i%97)))})
	}
	for limit := range 400 {
		var got []protocol.HistoryMessage
		for more := true; more; {
			data := protocol.AppendHistoryWithin([]byte("before"), protocol.History{Messages: all[len(got):]}, limit)[len("before"):]
			page, err := protocol.ParseHistory(data)
			if err != nil || len(page.Messages) == 0 || len(data) > limit && len(page.Messages) > 1 {
				t.Fatalf("limit %d: %s, %v", limit, data, err)
			}
			got, more = append(got, page.Messages...), page.More
		}
		if !reflect.DeepEqual(got, all) {
			t.Fatalf("limit %d: %d messages, want %d", limit, len(got), len(all))
		}
	}
}

// Data as deep as any value may be is still read inside a history page.
func TestHistoryOfTheDeepestData(t *testing.T) {
	h := protocol.History{Messages: []protocol.HistoryMessage{{Offset: 1, Data: []byte(nest("[", "", "]", protocol.MaxDepth))}}}
	var e protocol.Event
	if err := e.Decode(protocol.AppendOK(nil, protocol.OK{ID: 1, Data: protocol.AppendHistory(nil, h)})); err != nil {
		t.Fatal(err)
	}
}
