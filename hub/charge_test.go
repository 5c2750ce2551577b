package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// TestResumeIsCharged: each room of a hello counts as a message. Those beyond the limit are refused, each with a longer wait
// than the one before, and may be joined later; the connection stays.
func TestResumeIsCharged(t *testing.T) {
	const perSecond, burst, rooms = 20, 5, 12
	overEach(t, func(t *testing.T, tr transport) {
		s := tr.start(t, hub.WithOpenRooms("*"), hub.WithRateLimit(perSecond, burst))
		resume := ""
		for i := range rooms {
			resume += fmt.Sprintf(`,{"room":"room %d"},{"room":"room 0"}`, i)
		}
		begun := time.Now()
		c := s.dialV1(t, `{"op":"hello","resume":[`+resume[1:]+`]}`)
		joined, wait := 0, 0
		var refused []string
		for range rooms {
			switch r := c.read(); {
			case r.Op == "ok":
				joined++
			case r.Code == "rate_limited" && r.RetryAfter > wait && r.RetryAfter <= 1000*rooms/perSecond && r.Room != "":
				wait = r.RetryAfter
				refused = append(refused, r.Room)
			default:
				t.Fatalf("got %+v after %d rooms were joined and %d refused", r, joined, len(refused))
			}
		}
		// The hello was a message too, and a slow machine gives time for more.
		if most := burst + int(perSecond*time.Since(begun).Seconds()); joined < burst-1 || joined > most {
			t.Errorf("%d rooms joined, want the burst of %d, and %d at most", joined, burst, most)
		}
		if n := s.Stats().Limited; n != 0 {
			t.Errorf("%d messages were limited, want none: the client cannot know before the welcome", n)
		}
		time.Sleep(time.Duration(wait) * time.Millisecond)
		for _, room := range refused[max(0, len(refused)-burst+2):] {
			if r := c.ask(`{"op":"join","id":1,"room":"` + room + `"}`); r.Op != "ok" {
				t.Errorf("joined after the wait: %+v", r)
			}
		}
		time.Sleep(2 * time.Second / perSecond) // on a slow machine those were all that it had
		c.alive()
	})
}
