package hub_test

import (
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/hub"
)

// TestLimitsAreAnnounced: every client is told what it has to keep to.
func TestLimitsAreAnnounced(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []hub.Option
		want string
	}{
		{"by default", nil, `{"message":65536,"rate":100,"burst":200,"rooms":128}`},
		{"as configured", []hub.Option{hub.WithMaxMessage(8 << 10), hub.WithRateLimit(20, 40), hub.WithMaxRooms(500),
			hub.WithByteRateLimit(10_000, 20_000)},
			`{"message":8192,"rate":20,"burst":40,"byte_rate":10000,"byte_burst":20000,"rooms":500}`},
		{"a slow rate", []hub.Option{hub.WithRateLimit(0.25, 3)}, `{"message":65536,"rate":0.25,"burst":3,"rooms":128}`},
		{"a rate that is no round time", []hub.Option{hub.WithRateLimit(300, 7)}, `{"message":65536,"rate":300,"burst":7,"rooms":128}`},
		{"no rate", []hub.Option{hub.WithoutRateLimit()}, `{"message":65536,"rooms":128}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.opts...)
			if r := s.connect(t, nil).welcomed(); string(r.Limits) != tt.want {
				t.Errorf("a plain client is told %s, want %s", r.Limits, tt.want)
			}
			v1 := s.connect(t, nil, "hubkit.v1")
			v1.write(`{"op":"hello"}`)
			if r := v1.welcomed(); string(r.Limits) != tt.want {
				t.Errorf("a client of the subprotocol is told %s, want %s", r.Limits, tt.want)
			}
		})
	}
}

// TestRefusalNamesTheRequest: a request beyond the rate is answered as any other, with its ID, so that the client can send
// it again.
func TestRefusalNamesTheRequest(t *testing.T) {
	s := start(t, hub.WithOpenRooms("*"), hub.WithRateLimit(0.001, 3))
	c := s.dial(t)
	for id := range 6 {
		c.write(fmt.Sprintf(`{"op":"publish","id":%d,"room":"r","data":1}`, id+1))
	}
	for id := range 6 {
		r := c.read()
		if want := id < 3; r.ID != uint64(id+1) || (r.Op == "ok") != want || (r.Code == "rate_limited") == want {
			t.Errorf("request %d: %+v", id+1, r)
		}
	}
}
