//go:build unix

package interop_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/interop"
	"github.com/gohubkit/hubkit/protocol"
)

// TestSlowReader: a client that stops reading is disconnected, and those beside it get everything.
func TestSlowReader(t *testing.T) {
	overHub(t, func(t *testing.T, l *live, slow *speaker) {
		beside := speak(t, interop.Implementations()[1])
		for _, s := range []*speaker{slow, beside} {
			s.plain(l)
			s.ask(`{"op":"join","id":1,"room":"news"}`, `{"op":"ok","id":1,"room":"news"}`)
		}
		must(t, slow.Process().Signal(syscall.SIGSTOP))
		published := 0
		tail := `,"` + strings.Repeat("x", 32<<10) + `"]`
		var end ending
		for end.err == nil {
			published++
			l.publish(t, "news", fmt.Sprintf("[%d%s", published, tail))
			beside.hear(fmt.Sprintf(`{"op":"message","room":"news","data":[%d%s}`, published, tail))
			select {
			case end = <-l.gone:
			default:
			}
			if published > 10_000 {
				t.Fatal("the client that reads nothing is still connected")
			}
		}
		if code := closeCode(t, end.err); end.conn != slow.id || code != protocol.CloseSlowConsumer {
			t.Errorf("%s ended with %v, want %s with %v", end.conn, end.err, slow.id, protocol.CloseSlowConsumer)
		}
		must(t, slow.Process().Signal(syscall.SIGCONT))
		slow.prefix(published, tail)
		beside.alive()

		slow.plain(l) // and it may come back
		slow.alive()
	}, hub.WithWriteTimeout(time.Minute)) // the backlog decides, not the clock
}

// TestHeartbeat: silent clients answer pings by themselves, and stay; one that cannot is given up.
func TestHeartbeat(t *testing.T) {
	policy := heartbeat.Policy{Interval: 3 * time.Second, Timeout: 3 * time.Second, Tick: 10 * time.Millisecond}
	l := serveHub(t, hub.WithHeartbeat(policy))
	var speakers []*speaker
	for _, impl := range interop.Implementations() {
		s := speak(t, impl)
		s.plain(l)
		speakers = append(speakers, s)
	}
	// Two of each client's pings must have been answered by the time of its third.
	await(t, "three pings to each client", func() bool {
		return l.Stats().Heartbeat.Pings >= 3*int64(len(speakers))
	})
	for _, s := range speakers {
		s.alive()
	}
	stopped := make(map[string]bool)
	for _, s := range speakers {
		must(t, s.Process().Signal(syscall.SIGSTOP))
		stopped[s.id] = true
	}
	for range speakers {
		select {
		case end := <-l.gone:
			if code := closeCode(t, end.err); !stopped[end.conn] || code != protocol.CloseHeartbeatTimeout {
				t.Errorf("%s, which answers no ping, ended with %v", end.conn, code)
			}
			delete(stopped, end.conn)
		case <-time.After(patience):
			t.Fatalf("the hub has not noticed %v", stopped)
		}
	}
	for _, s := range speakers {
		must(t, s.Process().Signal(syscall.SIGCONT))
		s.closed(protocol.CloseHeartbeatTimeout)
	}
}
