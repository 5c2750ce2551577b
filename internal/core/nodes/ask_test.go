package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answered says what all answered: node=value, or node!error.
func answered[A any](answers []Answer[A]) string {
	var all []string
	for _, a := range answers {
		if a.Err != nil {
			all = append(all, fmt.Sprintf("%s!%v", a.Node, a.Err))
		} else {
			all = append(all, fmt.Sprintf("%s=%v", a.Node, a.Value))
		}
	}
	return strings.Join(all, " ")
}

// TestAsk: all nodes answer, by name, and those that cannot say why.
func TestAsk(t *testing.T) {
	inFleet(t, []string{"b", "a", "c", "d", "e", "f", "g"}, func(t *testing.T, f *fleet) {
		for name, x := range f.nodes {
			if name == "g" {
				continue
			}
			HandleAsk(x, "sum", func(ctx context.Context, from string, q note) (int, error) {
				switch name {
				case "c":
					return 0, errors.New("not today")
				case "d":
					panic("broken")
				case "e":
					runtime.Goexit()
				case "f":
					<-ctx.Done()
				}
				if from != "a" || q.Text != "question" {
					t.Errorf("%s was asked %+v by %s", name, q, from)
				}
				return q.N + len(name), nil
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		answers, err := Ask[int](ctx, f.nodes["a"], "sum", note{Text: "question", N: 40})
		if took := time.Since(begin); err != nil || took != 3*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		want := "a=41 b=41 c!not today d!nodes: the answer did not come about e!nodes: the answer did not come about " +
			"f!nodes: no answer g!nodes: unknown kind"
		if got := answered(answers); got != want {
			t.Errorf("answered %s\nwant %s", got, want)
		}
		if silent := Silent(answers); !slices.Equal(silent, []string{"f", "g"}) {
			t.Errorf("silent: %v", silent)
		}
		synctest.Wait()
		if f.lost != 1 || f.nodes["g"].Ignored() != 1 {
			t.Errorf("%d panics, %d ignored, want one each", f.lost, f.nodes["g"].Ignored())
		}
		delete(f.nodes, "f")
		begin = time.Now()
		if answers, err = Ask[int](t.Context(), f.nodes["a"], "sum", note{Text: "question"}); err != nil || len(answers) != 6 {
			t.Errorf("without the silent: %s, %v", answered(answers), err)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("though all answer at once, it took %v", took)
		}
		if n := len(f.nodes["a"].open); n != 0 {
			t.Errorf("%d questions are kept", n)
		}
	})
}

// TestAskWaitsNoLonger: without a deadline, an asker waits as long as an answer may take.
func TestAskWaitsNoLonger(t *testing.T) {
	inFleet(t, []string{"a", "b"}, func(t *testing.T, f *fleet) {
		var ended [2]time.Duration
		for i, name := range []string{"a", "b"} {
			HandleAsk(f.nodes[name], "wait", func(ctx context.Context, _ string, _ note) (bool, error) {
				begin := time.Now()
				<-ctx.Done()
				ended[i] = time.Since(begin)
				time.Sleep(time.Hour) // it does not care
				return true, nil
			})
		}
		begin := time.Now()
		answers, err := Ask[bool](t.Context(), f.nodes["a"], "wait", note{})
		if got := answered(answers); err != nil || got != "a!nodes: no answer b!nodes: no answer" || time.Since(begin) != MaxWait {
			t.Errorf("after %v: %s, %v", time.Since(begin), got, err)
		}
		synctest.Wait()
		if want := [2]time.Duration{answerTimeout, answerTimeout}; ended != want {
			t.Errorf("contexts ended after %v, want %v", ended, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, _ = Ask[bool](ctx, f.nodes["a"], "wait", note{})
		time.Sleep(grace)
		synctest.Wait()
		if want := [2]time.Duration{2 * time.Second, 2*time.Second + grace}; ended != want {
			t.Errorf("contexts ended after %v, want %v", ended, want)
		}
		time.Sleep(3 * time.Hour) // what comes late is for nobody
		if f.nodes["a"].Ignored() != 0 {
			t.Error("late answers count as no messages")
		}
	})
}

// TestAskWithoutOthers: this node's answer needs no broker, and an error says what became of the others.
func TestAskWithoutOthers(t *testing.T) {
	inFleet(t, []string{"a", "b"}, func(t *testing.T, f *fleet) {
		alone := f.add("alone", nil)
		delete(f.nodes, "alone")
		for _, x := range []*Exchange{alone, f.nodes["a"], f.nodes["b"]} {
			HandleAsk(x, "name", func(context.Context, string, note) (string, error) { return "here", nil })
		}
		for _, tt := range []struct {
			x    *Exchange
			away error
			want string
		}{
			{f.nodes["a"], nil, "a=here b=here"},
			{f.nodes["a"], errLost, "a=here"}, // who is there is not known
			{f.nodes["a"], errors.New("it may have arrived"), "a=here b!nodes: no answer"},
			{alone, nil, "alone=here"},
		} {
			f.away = tt.away
			begin := time.Now()
			answers, err := Ask[string](t.Context(), tt.x, "name", note{})
			if got := answered(answers); got != tt.want || !errors.Is(err, tt.away) || time.Since(begin) != 0 {
				t.Errorf("%v: %s, %v after %v, want %s", tt.away, got, err, time.Since(begin), tt.want)
			}
		}
		f.away, f.hangs = nil, true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if answers, err := Ask[string](ctx, f.nodes["a"], "name", note{}); answered(answers) != "a=here" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a broker that hangs: %s, %v", answered(answers), err)
		}
		f.hangs = false
		answers, err := Ask[string](t.Context(), f.nodes["a"], "never heard of", note{})
		if got := answered(answers); got != "a!nodes: unknown kind b!nodes: unknown kind" || err != nil {
			t.Errorf("an unknown kind: %s, %v", got, err)
		}
	})
}

// TestAskIsBounded: a question or an answer is refused beyond its size.
func TestAskIsBounded(t *testing.T) {
	inFleet(t, []string{"a", "b"}, func(t *testing.T, f *fleet) {
		for _, x := range f.nodes {
			HandleAsk(x, "fill", func(_ context.Context, _ string, q note) (string, error) {
				return strings.Repeat("x", q.N), nil
			})
		}
		answers, err := Ask[string](t.Context(), f.nodes["a"], "fill", note{Text: strings.Repeat("x", MaxBody)})
		if len(answers) > 0 || !errors.Is(err, ErrTooLarge) {
			t.Errorf("a large question: %d answers, %v", len(answers), err)
		}
		for n, fits := range map[int]bool{MaxBody - 2: true, MaxBody - 1: false} { // and two quotes
			answers, err = Ask[string](t.Context(), f.nodes["a"], "fill", note{N: n})
			if err != nil || len(answers) != 2 {
				t.Errorf("%d answers, %v", len(answers), err)
			}
			for _, a := range answers {
				if (a.Err == nil) != fits || fits && len(a.Value) != n {
					t.Errorf("%s answered %d bytes, %v", a.Node, len(a.Value), a.Err)
				}
			}
		}
	})
}

// TestAnswersAreBounded: answers that do not fit beside the others' are dropped, and their nodes are named.
func TestAnswersAreBounded(t *testing.T) {
	const more = 3
	x, q := New(Config{}), &question{waiting: make(map[string]bool), asked: true, done: make(chan struct{})}
	number, large := x.begin(q), make(json.RawMessage, MaxBody)
	for i := range maxAnswers/MaxBody + more {
		q.waiting[fmt.Sprint(i)] = true
	}
	for node := range q.waiting {
		x.accept(number, Answer[json.RawMessage]{Node: node, Value: large})
	}
	<-q.done
	dropped := 0
	for _, a := range x.collect(q) {
		if errors.Is(a.Err, ErrTooLarge) && a.Value == nil {
			dropped++
		}
	}
	if dropped != more {
		t.Errorf("%d answers were dropped, want %d", dropped, more)
	}
}

// TestStrangeAnswers: an answer counts once, for who was asked, and for the question that is open.
func TestStrangeAnswers(t *testing.T) {
	inFleet(t, []string{"a", "b"}, func(t *testing.T, f *fleet) {
		a := f.nodes["a"]
		HandleAsk(a, "sum", func(context.Context, string, note) (int, error) { return 1, nil })
		HandleAsk(f.nodes["b"], "sum", func(context.Context, string, note) (int, error) {
			number := a.last
			say := func(from, format string, args ...any) { a.Receive(from, fmt.Appendf(nil, format, args...)) }
			say("stranger", `{"do":"answer","survey":%d,"data":"MQ=="}`, number)
			say("b", `{"do":"answer","survey":%d,"data":"MQ=="}`, number+1)
			say("b", `{"do":"answer","survey":%d,"data":1}`, number)
			say("b", `{"do":"answer","survey":%d,"data":"Mg=="}`, number) // 2
			say("b", `{"do":"answer","survey":%d,"data":"Mw=="}`, number) // 3, once more
			return 4, nil
		})
		answers, err := Ask[int](t.Context(), a, "sum", note{})
		if got := answered(answers); got != "a=1 b=2" || err != nil {
			t.Errorf("answered %s, %v", got, err)
		}
		if n := a.Ignored(); n != 1 {
			t.Errorf("%d ignored, want the one that is no answer", n)
		}
		HandleAsk(f.nodes["b"], "sum", func(context.Context, string, note) (string, error) { return "1", nil })
		answers, err = Ask[int](t.Context(), a, "sum", note{})
		if err != nil || answers[1].Err == nil || a.Ignored() != 2 {
			t.Errorf("an answer of another type: %s, %v, %d ignored", answered(answers), err, a.Ignored())
		}
	})
}

// TestWire: messages are those of the first version, which knows no version and no deadline.
func TestWire(t *testing.T) {
	inFleet(t, []string{"a", "b"}, func(t *testing.T, f *fleet) {
		type question struct {
			Name string `json:"name"`
			Data []byte `json:"data"`
		}
		for _, x := range f.nodes {
			HandleAsk(x, "survey", func(_ context.Context, _ string, q question) (json.RawMessage, error) {
				if q.Name == "fails" {
					return nil, errors.New("no")
				}
				return q.Data, nil
			})
			HandleTell(x, "send", func(string, note) {})
		}
		a := f.nodes["a"]
		a.last = 6
		if _, err := Ask[json.RawMessage](t.Context(), a, "survey", question{"mood", []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		expect := func(want ...string) {
			t.Helper()
			if got := f.frames(); !slices.Equal(got, want) {
				t.Errorf("sent %q, want %q", got, want)
			}
		}
		expect(`{"do":"survey","survey":7,"within_ms":15000,"name":"mood","data":"e30="}`, `{"do":"answer","survey":7,"data":"e30="}`)
		if err := a.Tell(t.Context(), "send", note{Text: "x"}); err != nil {
			t.Fatal(err)
		}
		expect(`{"do":"send","text":"x"}`)
		for _, payload := range []string{
			`{"do":"survey","survey":7,"name":"mood","data":"MQ==","color":"red"}`,
			`{"do":"survey","survey":8,"name":"fails"}`,
			`{"do":"survey","survey":9,"version":2,"name":"mood"}`,
			`{"do":"remove","survey":10}`,
			`{"do":"survey","survey":11,"name":7}`,
		} {
			a.Receive("b", []byte(payload))
			synctest.Wait()
		}
		expect(`{"do":"answer","survey":7,"data":"MQ=="}`,
			`{"do":"answer","survey":8,"error":"no"}`,
			`{"do":"answer","survey":9,"error":"nodes: unknown kind \"survey\", or unknown version 2","unknown":true}`,
			`{"do":"answer","survey":10,"error":"nodes: unknown kind \"remove\", or unknown version 0","unknown":true}`,
			`{"do":"answer","survey":11,"error":"nodes: survey: question not understood: json: cannot unmarshal number into Go struct field question.name of type string"}`)
	})
}

// TestNumbers: a node that was restarted under its name counts from elsewhere.
func TestNumbers(t *testing.T) {
	if a, b := New(Config{}), New(Config{}); a.last == b.last || a.last >= 1<<52 {
		t.Errorf("questions begin at %d and %d", a.last, b.last)
	}
}
