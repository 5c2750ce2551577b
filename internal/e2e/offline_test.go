package e2e_test

import (
	"fmt"
	"testing"

	"github.com/gohubkit/hubkit/client"
)

// TestOfflinePublications: what is published without a connection, and what was published on one whose
// answers were lost, is stored once and in order.
func TestOfflinePublications(t *testing.T) {
	ctx := start(t)
	s := serve(t, nil)
	n := newNetwork(t, s)
	u := connect(t, n.url())
	u.await(ctx, client.Connected)

	const each = 30
	var all []*client.Publication
	publish := func() {
		for range each {
			p, err := u.PublishAsync("past:log", fmt.Append(nil, len(all)+1))
			must(t, err)
			all = append(all, p)
		}
	}
	publish()
	must(t, u.Flush(ctx))

	n.swallow(false) // the server hears, and is not heard
	publish()
	await(ctx, t, "the unanswered publications are stored", func() bool {
		return s.stored(ctx, "past:log").Top.Offset == 2*each
	})
	if err := unfinished(all[each:]); err != nil {
		t.Error(err)
	}

	n.setDown(true)
	publish()
	u.await(ctx, client.Disconnected)
	publish()
	if err := unfinished(all[each:]); err != nil {
		t.Error(err)
	}
	n.setDown(false)
	publish()
	must(t, u.Flush(ctx))

	page := s.stored(ctx, "past:log")
	if len(page.Messages) != len(all) {
		t.Fatalf("%d messages are stored, want %d", len(page.Messages), len(all))
	}
	for i, p := range all {
		m := page.Messages[i]
		if want := fmt.Sprint(i + 1); string(m.Data) != want {
			t.Fatalf("message %d is %s", i+1, m.Data)
		}
		if pos, err := p.Wait(ctx); err != nil || pos != client.Position(m.Position) {
			t.Errorf("publication %d: %v, %v; it is stored at %v", i+1, pos, err, m.Position)
		}
	}
}

// unfinished fails for a publication whose outcome is known.
func unfinished(ps []*client.Publication) error {
	for i, p := range ps {
		select {
		case <-p.Done():
			return fmt.Errorf("publication %d is done", i)
		default:
		}
	}
	return nil
}
