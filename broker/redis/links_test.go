package redis_test

import (
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// TestLinks: connections that work are up, those to a server that is gone are not, and losses are counted.
func TestLinks(t *testing.T) {
	s := redistest.Start(t)
	b := newBroker(t, []string{s.Addr()})
	if l := b.Links(); l != (broker.Links{}) {
		t.Errorf("before Start: %+v", l)
	}
	startWith(t, b, brokertest.NewRecorder())
	up := func() bool {
		l := b.Links()
		return l.Subscribing > 0 && l.SubscribingUp == l.Subscribing && l.Publishing > 0 && l.PublishingUp == l.Publishing
	}
	eventually(t, "all connections to be up", up)
	s.Kill()
	eventually(t, "the loss to be seen", func() bool {
		l := b.Links()
		return l.SubscribingUp == 0 && l.PublishingUp == 0 && l.Reconnects > 0 && l.PublishReconnects > 0
	})
	s.Restart()
	eventually(t, "all connections to be up again", up)
}
