package main

import (
	"fmt"
	"slices"

	"github.com/gohubkit/hubkit/bench/internal/result"
)

// merge makes one record of a test's records, and lists the runs in the order of their numbers, from 1 up.
func merge(all []record) (merged []record, runs []record) {
	for _, r := range all {
		n := slices.IndexFunc(runs, func(other record) bool { return other.Run == r.Run && other.Machine == r.Machine }) + 1
		if n == 0 {
			runs = append(runs, r)
			n = len(runs)
		}
		i := slices.IndexFunc(merged, func(other record) bool { return other.Test == r.Test })
		if i < 0 {
			i = len(merged)
			merged = append(merged, r)
			merged[i].Peers, merged[i].Results, merged[i].runs = nil, nil, make(map[string][]int)
		}
		m := &merged[i]
		m.Rounds = max(m.Rounds, r.Rounds)
		m.Results = append(m.Results, r.Results...)
		for _, name := range r.Peers {
			if !slices.Contains(m.Peers, name) {
				m.Peers = append(m.Peers, name)
			}
			m.runs[name] = append(m.runs[name], n)
		}
	}
	for _, m := range merged {
		slices.SortStableFunc(m.Peers, func(a, b string) int { return rank(a) - rank(b) })
	}
	return merged, runs
}

// rank of a server in the table of all; one that is gone comes last.
func rank(name string) int {
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
	if i < 0 {
		return len(peers)
	}
	return i
}

// several reports whether the rows of a merged record are from more than one run.
func (r record) several() bool {
	first := 0
	for _, ns := range r.runs {
		for _, n := range ns {
			if first == 0 {
				first = n
			}
			if n != first {
				return true
			}
		}
	}
	return false
}

// has returns the results of a test, at the sizes of heading, and an error if there are some at other sizes.
func (r *records) has(test, heading string) (rs []result.Result, err error) {
	for _, one := range r.all {
		if one.Test != test {
			continue
		}
		if one.Heading != heading {
			return nil, fmt.Errorf("%s was run as %q and not as %q: run it without -continue", test, one.Heading, heading)
		}
		rs = append(rs, one.Results...)
	}
	return rs, nil
}
