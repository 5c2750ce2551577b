package main

import (
	"slices"
	"time"

	"github.com/gohubkit/hubkit/bench/internal/result"
)

// job is a test with the rounds that each of its servers still needs.
type job struct {
	test   test
	peers  []peer
	record record
	done   []result.Result // of other runs
}

// missing reports whether a server needs one more round, of so many.
func (j *job) missing(p peer, round int) bool {
	n := 0
	for _, r := range j.done {
		if r.Peer == p.name {
			n++
		}
	}
	return n < round
}

// estimate is how many times a server is measured, and how long that takes: as long as the same took before, or what is
// typical of the test.
func (j *job) estimate(known []result.Result, o *options) (runs int, took time.Duration) {
	for _, p := range j.peers {
		own := slices.DeleteFunc(slices.Clone(known), func(r result.Result) bool { return r.Peer != p.name || r.Test != j.test.name || r.Whole == 0 })
		each := j.test.typical * o.scale
		if len(own) > 0 {
			each = median(own, func(r result.Result) float64 { return r.Whole })
		}
		for round := range o.rounds {
			if j.missing(p, round+1) {
				runs++
				took += time.Duration(each * float64(time.Second))
			}
		}
	}
	return runs, took
}
