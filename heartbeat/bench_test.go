package heartbeat

import (
	"testing"
	"time"
)

const million = 1_000_000

// quiet is the smallest peer.
type quiet struct {
	entry Entry
	m     *Monitor
}

func (q *quiet) Heartbeat() *Entry { return &q.entry }
func (q *quiet) Ping()             { q.m.Heard(&q.entry) }
func (q *quiet) Expire() bool      { return true }

func BenchmarkHeard(b *testing.B) {
	m, err := newMonitor[Peer](Default())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("same tick", func(b *testing.B) {
		var e Entry
		b.ReportAllocs()
		for b.Loop() {
			m.Heard(&e)
		}
	})
	b.Run("new tick", func(b *testing.B) {
		var e Entry
		b.ReportAllocs()
		for b.Loop() {
			m.now.Add(1)
			m.Heard(&e)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var e Entry
			for pb.Next() {
				m.Heard(&e)
			}
		})
	})
}

func millionPeers(b *testing.B) (r *rig, peers []quiet) {
	r = newRig(b, Default(), 0)
	peers = make([]quiet, million)
	for i := range peers {
		peers[i].m = r.Monitor
		if err := r.Add(&peers[i]); err != nil {
			b.Fatal(err)
		}
	}
	return r, peers
}

func BenchmarkAddRemove(b *testing.B) {
	r, peers := millionPeers(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p := &peers[i%million]
		r.Remove(p)
		if err := r.Add(p); err != nil {
			b.Fatal(err)
		}
		i += 7919 // a prime: not the one next in memory
	}
}

// BenchmarkTick is one tick, 100 ms, of a million peers of which each is pinged and answers. In the
// course of an interval each is visited twice.
func BenchmarkTick(b *testing.B) {
	r, _ := millionPeers(b)
	r.run(500)
	before := r.Stats().Pings
	b.ReportAllocs()
	start := time.Now()
	for b.Loop() {
		r.run(1)
	}
	pings := float64(r.Stats().Pings - before)
	b.ReportMetric(pings/float64(b.N), "pings/op")
	b.ReportMetric(float64(time.Since(start))/pings, "ns/ping")
}
