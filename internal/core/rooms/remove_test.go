package rooms

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

var errBarred = errors.New("barred")

// TestBarredWhileJoining: a connection that is barred while it joins a room becomes no member, and keeps no room.
func TestBarredWhileJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := make(chan error)
		r := newRig(t, &interests{subscribe: func() error { return <-turn }}, nil)
		c := r.conn(t)
		joined := make(chan error)
		go func() { joined <- r.Join(t.Context(), c, 0, "a", Start{}) }()
		synctest.Wait()
		c.barred.Store(&errBarred)
		if r.Remove(c, "a") != nil {
			t.Error("a room that is being joined was removed")
		}
		if !c.rooms.Joining("a") || len(c.rooms.AllJoining()) != 1 {
			t.Error("the room is not said to be being joined")
		}
		turn <- nil
		var told *ToldError
		if err := <-joined; !errors.Is(err, errBarred) || errors.As(err, &told) {
			t.Errorf("the join ended with %v", err)
		}
		if c.rooms.Joining("a") || c.rooms.Find("a") != nil || len(c.got) != 0 {
			t.Error("it is in the room, or was told so")
		}
		called := false
		c.rooms.Unless("a", func() { called = true })
		if !called {
			t.Error("the room is still the connection's")
		}
	})
}

// TestRemove: a connection that is taken out of a room cannot join it again until that is done.
func TestRemove(t *testing.T) {
	r := newRig(t, new(interests), nil)
	c := r.conn(t)
	if r.Remove(c, "a") != nil {
		t.Error("a room of nobody's was removed")
	}
	r.join(t, c, "a")
	r.join(t, c, "b")
	c.rooms.Unless("a", func() { t.Error("it is in the room") })
	finish := r.Remove(c, "a")
	if finish == nil {
		t.Fatal("it is in the room, which was not removed")
	}
	if got := c.rooms.Names(); len(got) != 1 || got[0] != "b" {
		t.Errorf("it is in %v", got)
	}
	if err := r.Join(t.Context(), c, 0, "a", Start{}); !errors.Is(err, errs.Joining) {
		t.Errorf("a join meanwhile: %v", err)
	}
	if r.Remove(c, "a") != nil {
		t.Error("it was removed twice")
	}
	parted := 0
	if err := finish(context.Background(), func() { parted++ }); err != nil || parted != 1 {
		t.Errorf("%v, parted was called %d times", err, parted)
	}
	r.join(t, c, "a")
	if got, want := r.held, c.rooms.Alone(); got != want {
		t.Errorf("%d bytes are counted, want those of two rooms, %d", got, want)
	}
}
