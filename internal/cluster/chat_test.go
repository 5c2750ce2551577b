package cluster_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/redistest"
	"github.com/gohubkit/hubkit/internal/testenv"
)

// Two servers of examples/chat are one chat, as its documentation says.
func TestChatServers(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	program := filepath.Join(t.TempDir(), "chat")
	build := testenv.Start(t, testenv.Command{
		Path: testenv.RequireTool(t, "go"), Args: []string{"build", "-o", program, "./examples/chat"}, Dir: "../..",
	})
	if err := build.Wait(t.Context()); err != nil {
		t.Fatalf("go build: %v\n%s", err, build.Output())
	}
	serve := func(name string) string {
		t.Helper()
		const at = "chat: http://"
		p := testenv.Start(t, testenv.Command{
			Path: program, Args: []string{"-redis", r.Addr(), "-node", name, "-addr", "127.0.0.1:0"},
			Ready: func(line string) bool { return strings.HasPrefix(line, at) },
		})
		addr, _, _ := strings.Cut(strings.TrimPrefix(p.ReadyLine(), at), " ")
		return addr
	}
	first, second := serve("a"), serve("b")
	const room = "chat:lobby"
	enter := func(addr, name string) *peer {
		t.Helper()
		p := dialAddr(t, strings.TrimSpace(addr), name)
		p.await("a welcome", op("welcome"))
		p.join(room)
		return p
	}
	ada, bob := enter(first, "ada"), enter(second, "bob")
	ada.await("bob's coming", presence("join", room, "bob"))
	ada.request(`"op":"publish","room":"` + room + `","data":{"text":"hello"}`)
	bob.request(`"op":"publish","room":"` + room + `","data":{"text":"hello yourself"}`)
	for _, p := range []*peer{ada, bob} {
		got := p.awaitN(2, "both messages", message(room))
		if string(got[0].Data) != `{"text":"hello"}` || string(got[1].Data) != `{"text":"hello yourself"}` || got[1].Offset != 2 {
			t.Errorf("heard %v", got)
		}
	}
	late := enter(second, "late")
	if f := late.request(`"op":"presence","room":"` + room + `"`); !strings.Contains(string(f.Data), `"count":3`) {
		t.Errorf("presence: %s, want three members", f.Data)
	}
}
