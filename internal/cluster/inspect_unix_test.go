//go:build unix

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// One node of four is stopped. The others' connections, rooms and nodes are listed all the same, in pages, and it is named. It is
// listed again when it goes on. Actions reach the others and say who has not answered.
func TestInspectWhileANodeIsStopped(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	o := newOffice(t, r)
	o.allowed.Store("ada", true)
	stopped := startNode(t, "d", []string{r.Addr()}, "-ttl", "1m")
	eventually(t, "the nodes to know each other", func() bool {
		nodes, err := o.hubs[0].Nodes(t.Context())
		return err == nil && len(nodes) == 4
	})
	peers := append(o.dial("ada"), dial(t, stopped, "ada"))
	for _, p := range peers {
		p.await("a welcome", op("welcome"))
		for _, room := range []string{"a", "here"} {
			p.join(room)
		}
	}
	h := o.hubs[0]
	list := func(within time.Duration) (conns, rooms, silent []string, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		for q := (hub.ConnQuery{User: "ada", Limit: 1}); ; {
			p, e := h.InspectConns(ctx, q)
			silent, err = p.Silent, errors.Join(err, e)
			for _, c := range p.Conns {
				conns = append(conns, c.Node)
			}
			if q.After = p.Next; q.After == nil {
				break
			}
		}
		if err != nil {
			ctx, cancel = context.WithTimeout(t.Context(), within)
			defer cancel()
		}
		p, _ := h.InspectRooms(ctx, hub.RoomQuery{Room: "here"})
		for _, r := range p.Rooms {
			rooms = append(rooms, fmt.Sprint(r.Node, r.Members))
		}
		return conns, rooms, silent, err
	}
	check := func(within time.Duration, wantConns, wantRooms, wantSilent []string) {
		t.Helper()
		conns, rooms, silent, err := list(within)
		if !slices.Equal(conns, wantConns) || !slices.Equal(rooms, wantRooms) || !slices.Equal(silent, wantSilent) {
			t.Errorf("connections of %v, rooms %v, silent %v: %v", conns, rooms, silent, err)
		}
		if (err != nil) != (len(wantSilent) > 0) || err != nil && !errors.Is(err, hub.ErrNoAnswer) {
			t.Errorf("the error is %v", err)
		}
	}
	check(patience, []string{"a", "b", "c", "d"}, []string{"a1", "b1", "c1", "d1"}, nil)
	if err := stopped.proc.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	check(5*time.Second, []string{"a", "b", "c"}, []string{"a1", "b1", "c1"}, []string{"d"})
	within, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := h.RemoveFromRoom(within, hub.ByRoom("here"), "a", "enough"); !errors.Is(err, hub.ErrNoAnswer) {
		t.Errorf("RemoveFromRoom: %v", err)
	}
	for _, p := range peers[:3] {
		p.await("that a is left", func(f frame) bool { return f.Op == "left" && f.Room == "a" })
	}
	within, cancel = context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	done, err := h.Disconnect(within, hub.ByRoom("here"), &hub.CloseError{Code: 4242})
	if done.Total() != 3 || !slices.Equal(done.Silent, []string{"d"}) || !errors.Is(err, hub.ErrNoAnswer) {
		t.Errorf("Disconnect: %+v, %v", done, err)
	}
	for _, p := range peers[:3] {
		p.closed(4242)
	}
	if err := stopped.proc.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	peers[3].closed(4242) // what it was asked meanwhile it does now
	eventually(t, "the node to answer again", func() bool {
		_, _, silent, err := list(time.Second)
		return err == nil && silent == nil
	})
}
