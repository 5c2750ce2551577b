package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/bench/internal/result"
)

func TestMedian(t *testing.T) {
	value := func(r result.Result) float64 { return r.CPUPerMillion }
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 100}, 3}} {
		var rs []result.Result
		for _, v := range tt.in {
			rs = append(rs, result.Result{CPUPerMillion: v})
		}
		if got := median(rs, value); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	r := record{
		Kind: "fanout", Heading: "T: 2 connections", Rounds: 3, Peers: []string{"a", "b", "c", "d", floor},
		Results: []result.Result{
			{Peer: "a", CPUPerMillion: 2, PerSecond: 10, Expected: 6, Received: 6},
			{Peer: "b", CPUPerMillion: 1, PerSecond: 20, Expected: 6, Received: 5},
			{Peer: "b", CPUPerMillion: 3, PerSecond: 20, Expected: 6, Received: 4},
			{Peer: "b", CPUPerMillion: 1, PerSecond: 20, Expected: 6, Received: 6},
			{Peer: "d", CPUPerMillion: 4, PerSecond: 15, Expected: 6, Received: 6},
			{Peer: floor, CPUPerMillion: 0.5, PerSecond: 30, Expected: 6, Received: 6, MallocsPerUnit: 1},
		},
	}
	var b strings.Builder
	r.writeTable(&b)
	for _, want := range []string{
		"### T: 2 connections\n",
		"| a | **2** | 1.00 | 10 | **0.00** | 0 | 0 | 0 | 1 |\n",
		"| b | 1 | 0.50 | 20 | 0.00 | 3 | 0 | 0 | 3 |\n", // the cheapest, and the fastest, by losing
		"| c | failed |\n",
		"| floor | 0.5 | 0.25 | 30 |",
		"| d | 4 | 2.00 | **15** | **0.00** | 0 | 0 | 0 | 1 |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestChooseTests(t *testing.T) {
	ts, err := chooseTests("rooms,churn", &options{conns: 1234, n: 999, scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	rooms, churn := ts[0], ts[1]
	if rooms.conns%rooms.rooms != 0 || rooms.n%rooms.rooms != 0 || rooms.conns < 1 || rooms.n < 1 {
		t.Errorf("rooms do not share evenly: %+v", rooms)
	}
	if churn.conns != 256 || churn.n != 999 {
		t.Errorf("churn %+v", churn)
	}
	if _, err := chooseTests("fanout,nonsense", &options{scale: 1}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("error %v", err)
	}
}

func TestSuits(t *testing.T) {
	bare, joined, full := peer{}, peer{redis: true}, peer{redis: true, history: true}
	for _, tt := range []struct {
		test test
		want []bool
	}{
		{test{kind: "rooms"}, []bool{true, true, true}},
		{test{kind: "nodes"}, []bool{false, true, true}},
		{test{kind: "nodes", history: true}, []bool{false, false, true}},
	} {
		for i, p := range []peer{bare, joined, full} {
			if got := tt.test.suits(p); got != tt.want[i] {
				t.Errorf("%+v suits %+v: %t", tt.test, p, got)
			}
		}
	}
}

func TestEveryTestHasColumns(t *testing.T) {
	for _, tt := range tests {
		if len(columns[tt.kind]) == 0 {
			t.Errorf("%s: kind %q has no columns", tt.name, tt.kind)
		}
	}
}

func TestChoosePeers(t *testing.T) {
	ps, err := choosePeers("nbio,gws")
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{ps[0].name, ps[1].name}; !slices.Equal(got, []string{"nbio", "gws"}) {
		t.Errorf("peers %v", got)
	}
	if _, err := choosePeers("gws,gorilla"); err == nil {
		t.Error("no error for a peer there is not")
	}
}
