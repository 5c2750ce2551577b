package storm

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestAgenda(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var a agenda
	var now event
	for i := range 5000 {
		a.push(now.at+time.Duration(rnd.IntN(50)), i)
		if rnd.IntN(3) == 0 {
			continue
		}
		at, client := a.pop()
		next := event{at, client}
		if next.at < now.at {
			t.Fatalf("%v after %v", next, now)
		}
		now = next
	}
	for len(a) > 0 {
		at, client := a.pop()
		next := event{at, client}
		if !now.before(next) && now.at != next.at {
			t.Fatalf("%v after %v", next, now)
		}
		now = next
	}
}
