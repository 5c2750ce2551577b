package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// A server's clock that is set back, or is behind the one of the primary before it, makes neither a gap nor a
// duplicate, and does not hold messages up.
func TestServerClockSetBack(t *testing.T) {
	const each = 20
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()})
	subscribe(t, b, "room")
	ahead := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	script := strings.Replace(redis.PublishScript(), "redis.call('TIME')", "{'"+ahead+"', '0'}", 1)
	if script == redis.PublishScript() {
		t.Fatal("the script does not ask for the time as this test thinks")
	}
	for i := range each { // by a server an hour ahead
		s.Do("EVAL", script, "3", "hubkit:{room}:meta", "hubkit:{room}:log", "hubkit:{room}:idem",
			"hubkit:{room}", "PUBLISH", strconv.Itoa(i), "", "0", "100", "60000", "3600000", "0")
	}
	var middle broker.Position
	for i := range each {
		middle = publish(t, b, "room", broker.Publication{Data: []byte(strconv.Itoa(each + i)), Retention: kept}).Position
		if middle.Offset != uint64(each+i+1) {
			t.Fatalf("message %d has the position %+v", each+i, middle)
		}
	}
	wait(t, rec, "all messages", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) >= 2*each })
	if n := len(rec.Events("room")); n != 2*each {
		t.Errorf("%d events, want %d messages and no gap", n, 2*each)
	}
	for i, m := range rec.Messages("room") {
		if string(m.Data) != fmt.Sprint(i) || m.Position.Offset != uint64(i+1) || m.Position.Epoch != middle.Epoch {
			t.Fatalf("message %d is %s at %+v", i, m.Data, m.Position)
		}
	}
	page, err := b.Read(t.Context(), "room", broker.Query{Since: broker.Position{Epoch: middle.Epoch, Offset: each - 5}, Retention: kept})
	if err != nil || page.Gap || len(page.Messages) != each+5 {
		t.Errorf("Read: %d messages, gap %v, %v; want %d", len(page.Messages), page.Gap, err, each+5)
	}
}
