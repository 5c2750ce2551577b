package redistest

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestServer(t *testing.T) {
	s := Start(t, "appendonly yes")
	s.Do("SET", "key", "value")
	s.Kill()
	if _, err := s.Try("PING"); err == nil {
		t.Error("it answers after Kill")
	}
	s.Restart()
	if got := s.Do("GET", "key"); got != "value" {
		t.Errorf("after Restart: %q, want what was stored", got)
	}
	s.Forget()
	if got := s.Do("GET", "key"); got != "" {
		t.Errorf("after Forget: %q, want nothing", got)
	}
	s.Stop()
	if _, err := net.Dial("tcp", s.Addr()); err == nil {
		t.Error("it listens after Stop")
	}
}

func TestReplies(t *testing.T) {
	s := Start(t)
	s.Do("RPUSH", "list", "a", "b\r\nc", "")
	if got := s.Do("LRANGE", "list", "0", "-1"); got != "a\nb\r\nc\n" {
		t.Errorf("LRANGE: %q", got)
	}
	if got := s.Do("LLEN", "list"); got != "3" {
		t.Errorf("LLEN: %q", got)
	}
	if _, err := s.Try("NOSUCH"); err == nil || !strings.HasPrefix(err.Error(), "ERR unknown command") {
		t.Errorf("unknown command: %v", err)
	}
}

func TestSentinels(t *testing.T) {
	c := StartSentinels(t)
	if m, r := c.Master(), c.Replica(); m == r || len(c.Addrs()) != 3 {
		t.Errorf("master %s, replica %s, Sentinels %v", m.Addr(), r.Addr(), c.Addrs())
	}
}

func TestCluster(t *testing.T) {
	c := StartCluster(t, true)
	if len(c.Addrs()) != 6 {
		t.Fatalf("addresses %v, want 6", c.Addrs())
	}
	owner := c.Owner("key")
	if !slices.Contains(c.Servers[:3], owner) || !slices.Contains(c.Servers[3:], c.Replica(owner)) {
		t.Error("the owner is no master, or its replica no replica")
	}
	owner.Do("SET", "key", "value")
	to := c.Servers[0]
	if to == owner {
		to = c.Servers[1]
	}
	c.Move("key", to)
	if now := c.Owner("key"); now != to || to.Do("GET", "key") != "value" {
		t.Errorf("the key is with %s, want %s", now.Addr(), to.Addr())
	}
}
