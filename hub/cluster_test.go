package hub_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/hub"
)

// cut is a broker that cannot tell which nodes there are, or cannot reach them.
type cut struct {
	memoryBroker
	nodes []broker.Node
	err   error
}

func (c *cut) Nodes(context.Context) ([]broker.Node, error) {
	if c.nodes == nil {
		return nil, c.err
	}
	return c.nodes, nil
}

func (c *cut) Broadcast(context.Context, []byte) error { return c.err }

// TestSurveyWhileCutOff: this node answers although the others cannot be asked, and the error says why they do not.
func TestSurveyWhileCutOff(t *testing.T) {
	for name, tt := range map[string]struct {
		nodes []broker.Node
		want  []string // those that say nothing
	}{
		"nodes are not known":   {nil, nil},
		"nodes are not reached": {[]broker.Node{{ID: "n2"}, {ID: "n1"}}, []string{"n2"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, hub.WithNode("n1"), hub.WithBroker(&cut{newMemory(t), tt.nodes, broker.ErrUnavailable}))
			s.HandleSurvey("mood", func(context.Context, []byte) (any, error) { return nil, nil })
			answers, err := s.Survey(t.Context(), "mood", nil)
			if !errors.Is(err, broker.ErrUnavailable) {
				t.Errorf("the error is %v, want that of the broker", err)
			}
			var silent []string
			for _, a := range answers {
				if errors.Is(a.Err, hub.ErrNoAnswer) {
					silent = append(silent, a.Node)
				}
			}
			if len(answers) == 0 || answers[0].Node != "n1" || string(answers[0].Data) != "null" || !slices.Equal(silent, tt.want) {
				t.Errorf("answers %+v, want one of n1, and none of %v", answers, tt.want)
			}
		})
	}
}

// TestSurveyIsBounded: a question or an answer of more than its bound is an error of the one who sends it.
func TestSurveyIsBounded(t *testing.T) {
	s := start(t, hub.WithBroker(newMemory(t)))
	s.HandleSurvey("echo", func(_ context.Context, data []byte) (any, error) { return strings.Repeat("x", len(data)), nil })
	text := func(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }
	if answers, err := s.Survey(t.Context(), "echo", text(512<<10)); err != nil || len(answers) != 1 || answers[0].Err != nil {
		t.Errorf("512 KiB: %d answers, %v", len(answers), err)
	}
	if answers, err := s.Survey(t.Context(), "echo", text(800<<10)); err == nil || len(answers) != 0 {
		t.Errorf("800 KiB: %d answers, %v", len(answers), err)
	}
}

// TestIgnoredCommands: what no node of this version sends is counted, and does nothing.
func TestIgnoredCommands(t *testing.T) {
	b := newMemory(t)
	s := start(t, hub.WithBroker(b))
	c := s.dial(t)
	for _, payload := range []string{"garbage", `{"do":"disconnect","user":7}`, `{"do":"of a later version","user":"ada"}`, `{"do":"send","version":2}`} {
		if err := b.Broadcast(t.Context(), []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "all are counted", func() bool { return s.Stats().IgnoredCommands == 4 })
	c.alive()
}
