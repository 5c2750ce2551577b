package nodes

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// TestTell: what is told reaches every node once, this one too.
func TestTell(t *testing.T) {
	inFleet(t, []string{"a", "b"}, func(t *testing.T, f *fleet) {
		var told []string
		alone := f.add("alone", nil)
		delete(f.nodes, "alone")
		for name, x := range map[string]*Exchange{"a": f.nodes["a"], "b": f.nodes["b"], "alone": alone} {
			HandleTell(x, "note", func(from string, n note) { told = append(told, name+" by "+from+": "+n.Text) })
		}
		expect := func(want ...string) {
			t.Helper()
			if slices.Sort(told); !slices.Equal(told, want) {
				t.Errorf("told %v, want %v", told, want)
			}
			told = nil
		}
		if err := f.nodes["a"].Tell(t.Context(), "note", note{Text: "x"}); err != nil {
			t.Error(err)
		}
		expect("a by a: x", "b by a: x")
		if err := alone.Tell(t.Context(), "note", note{Text: "y"}); err != nil {
			t.Error(err)
		}
		expect("alone by alone: y")
		f.away = errLost
		if err := f.nodes["a"].Tell(t.Context(), "note", note{}); !errors.Is(err, errLost) {
			t.Errorf("without the broker: %v", err)
		}
		for _, body := range []any{1, "text", math.Inf(1), nil, []int{}} {
			if err := alone.Tell(t.Context(), "note", body); err == nil {
				t.Errorf("%v was told", body)
			}
		}
		expect()
	})
}

// TestGarbage: what is no message, or not understood, is counted and does nothing else.
func TestGarbage(t *testing.T) {
	inFleet(t, []string{"a"}, func(t *testing.T, f *fleet) {
		x := f.nodes["a"]
		told := 0
		HandleTell(x, "note", func(string, note) { told++ })
		for i, payload := range []string{
			``, `null x`, `[]`, `7`, "\xff", `{"do":7}`, `{"do":"note","survey":-1}`, // no messages
			`{"do":"note","text":7}`,    // another body
			`{"do":"note","version":2}`, // later
			`{"do":"unheard of"}`, `{}`, // unknown
			`{"do":"answer","data":"!"}`, // no base64
		} {
			x.Receive("b", []byte(payload))
			if n := x.Ignored(); n != int64(i+1) {
				t.Errorf("%d ignored after %s, want %d", n, payload, i+1)
			}
		}
		if f.frames(); told != 0 {
			t.Errorf("%d were told", told)
		}
		x.Receive("b", []byte(`{"do":"note","text":"x","more":{}}`))
		if told != 1 {
			t.Error("a field that is not known made a message unknown")
		}
	})
}

func TestNodes(t *testing.T) {
	inFleet(t, []string{"a", "b"}, func(t *testing.T, f *fleet) {
		alone := f.add("alone", nil)
		delete(f.nodes, "alone")
		alone.Announce() // to nobody
		if ns, err := alone.Nodes(t.Context()); err != nil || len(ns) != 1 || ns[0].ID != "alone" || ns[0].Conns != 5 || ns[0].Seen.IsZero() {
			t.Errorf("a node that is alone lists %v, %v", ns, err)
		}
		if ns, err := f.nodes["a"].Nodes(t.Context()); err != nil || len(ns) != 2 {
			t.Errorf("one of two lists %v, %v", ns, err)
		}
		if !alone.Alone() || f.nodes["a"].Alone() {
			t.Error("who is alone?")
		}
	})
}

// TestOrders: what an order begins with happens in the order in which one node gives it and tells, before the rest, and an order is
// sent even if nobody else is known.
func TestOrders(t *testing.T) {
	inFleet(t, []string{"a", "b"}, func(t *testing.T, f *fleet) {
		var begun []string
		release := make(chan struct{})
		for name, x := range f.nodes {
			HandleTell(x, "told", func(_ string, n note) {
				if name == "b" {
					begun = append(begun, n.Text)
				}
			})
			HandleOrder(x, "do", func(_ string, n note) func(context.Context) (note, error) {
				if name == "b" {
					begun = append(begun, n.Text)
				}
				return func(context.Context) (note, error) {
					<-release
					return note{Text: name + " did " + n.Text}, nil
				}
			})
		}
		a := f.nodes["a"]
		type result struct {
			answers []Answer[note]
			err     error
		}
		results := make(chan result)
		order := func(text string) {
			go func() {
				answers, err := Ask[note](t.Context(), a, "do", note{Text: text})
				results <- result{answers, err}
			}()
			synctest.Wait()
		}
		order("1")
		if err := a.Tell(t.Context(), "told", note{Text: "2"}); err != nil {
			t.Error(err)
		}
		order("3")
		if want := []string{"1", "2", "3"}; !slices.Equal(begun, want) {
			t.Errorf("begun %v, want %v", begun, want)
		}
		close(release)
		for range 2 {
			r := <-results
			if r.err != nil || len(r.answers) != 2 || r.answers[1].Err != nil || !strings.HasPrefix(r.answers[1].Value.Text, "b did ") {
				t.Errorf("%+v", r)
			}
		}
		delete(f.nodes, "b")
		f.frames()
		if _, err := Ask[note](t.Context(), a, "do", note{Text: "4"}); err != nil {
			t.Error(err)
		}
		if sent := f.frames(); len(sent) != 1 {
			t.Errorf("to nobody that is known %q was sent", sent)
		}
	})
}
