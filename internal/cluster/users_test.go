package cluster_test

import (
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/protocol"
)

// Members of all nodes see each other, come and go.
func TestPresence(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := startNodes(t, r, "a", "b", "c")
	ada := joined(t, n[0], "ada", "here")
	bob := joined(t, n[1], "bob", "here")
	ada.await("bob's coming", presence("join", "here", "bob"))
	bob2 := joined(t, n[0], "bob", "here")
	for _, at := range n {
		at.awaitUsers("here", "ada", "bob", "bob")
	}
	bob.leave("here")
	ada.await("bob's going", presence("leave", "here", "bob"))
	n[2].awaitUsers("here", "ada", "bob")
	_ = bob2.ws.Close()
	ada.awaitN(2, "the other bob's going", presence("leave", "here", "bob"))
	n[2].awaitUsers("here", "ada")
}

// What is asked of one node for a user happens to the user's connections everywhere.
func TestUserEverywhere(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := startNodes(t, r, "a", "b", "c")
	ada := []*peer{dial(t, n[0], "ada"), dial(t, n[1], "ada"), dial(t, n[1], "ada")}
	bob := dial(t, n[1], "bob")
	must[any](n[2], "/send", `{"for": "ada"}`, "user", "ada")
	for _, p := range ada {
		if f := p.await("the message", op("message")); string(f.Data) != `{"for": "ada"}` || f.Room != "" {
			t.Errorf("ada got %v", f)
		}
	}
	must[any](n[0], "/disconnect", "", "user", "ada")
	for _, p := range ada {
		p.closed(protocol.CloseDisconnected)
	}
	bob.sync()
	if got := bob.frames(op("message")); len(got) > 0 {
		t.Errorf("bob got %v", got)
	}
}

// Nodes are listed with their load, until they stop or have been dead for the TTL.
func TestNodes(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := startNodesWith(t, r, []string{"-ttl", "6s"}, "a", "b", "c")
	for range 3 {
		joined(t, n[0], "", "plain")
	}
	list := func() map[string]broker.NodeInfo {
		m := make(map[string]broker.NodeInfo)
		for _, n := range must[[]broker.Node](n[0], "/nodes", "") {
			m[n.ID] = n.NodeInfo
		}
		return m
	}
	eventually(t, "three nodes", func() bool { return len(list()) == 3 })
	eventually(t, "node a to tell its load", func() bool { a := list()["a"]; return a.Conns == 3 && a.Rooms == 1 })
	n[1].stop()
	eventually(t, "a and c to be left after b has stopped", func() bool { return len(list()) == 2 })
	n[2].proc.Kill()
	eventually(t, "node c to be forgotten", func() bool { return len(list()) == 1 })
}

// Everybody answers a survey, or the asker knows who did not, and why.
func TestSurvey(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	n := startNodesWith(t, r, []string{"-ttl", "1m"}, "a", "b", "c", "d")
	ask := func(moods, within string) map[string]string {
		t.Helper()
		said := make(map[string]string)
		for _, a := range must[[]answer](n[0], "/survey", moods, "within", within) {
			if _, twice := said[a.Node]; twice {
				t.Errorf("two answers of %s", a.Node)
			}
			if said[a.Node] = string(a.Data); a.Err != "" {
				said[a.Node] = a.Err
			}
		}
		return said
	}
	same := func(got map[string]string, want ...string) {
		t.Helper()
		for i, name := range []string{"a", "b", "c", "d"} {
			if len(got) != 4 || got[name] != want[i] {
				t.Fatalf("answers %v, want %q", got, want)
			}
		}
	}
	// The last would wait for long if any were missing.
	same(ask(`{}`, "30s"), `"I am a"`, `"I am b"`, `"I am c"`, `"I am d"`)
	got := ask(`{"b":"panicking","c":"silent","d":"failing"}`, "5s")
	same(got, `"I am a"`, got["b"], "no answer", "not today")
	if !strings.Contains(got["b"], "panicked") {
		t.Errorf("the panicking node is said to have answered %q", got["b"])
	}
	if s := n[1].stats(); s.Hub.Panics != 1 {
		t.Errorf("%d panics on node b, want 1", s.Hub.Panics)
	}
	n[3].proc.Kill() // and is listed until the TTL is over
	same(ask(`{}`, "5s"), `"I am a"`, `"I am b"`, `"I am c"`, "no answer")
}
