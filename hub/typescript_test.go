package hub_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

// TestWriteTypeScriptFaults: what JSON does not have is named, all of it, and nothing is written then.
func TestWriteTypeScriptFaults(t *testing.T) {
	type broken struct {
		C chan int `json:"c"`
	}
	s := start(t, hub.WithRooms("r:*", hub.DataType[func()]()))
	s.Handle("in", hub.Typed(func(context.Context, *hub.Conn, broken) (int, error) { return 0, nil }))
	s.Handle("out", hub.Typed(func(context.Context, *hub.Conn, int) (complex64, error) { return 0, nil }))
	var b strings.Builder
	err := s.WriteTypeScript(&b)
	for _, part := range []string{`method in takes`, `field "c": JSON has no chan int`, `method out returns: JSON has no complex64`, `rooms r:*: JSON has no func()`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v\nwant %s in it", err, part)
		}
	}
	if b.Len() > 0 {
		t.Errorf("written: %s", &b)
	}
	if err := start(t).WriteTypeScript(failingWriter{}); !errors.Is(err, errSecret) {
		t.Errorf("the writer's error: %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errSecret }
