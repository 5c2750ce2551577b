package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// MasterName is what the Sentinels call the master.
const MasterName = "main"

// Sentinels is a master and a replica that three Sentinels watch over.
type Sentinels struct {
	t       testing.TB
	servers []*Server // the master first, to begin with
	watch   []*Server
}

// StartSentinels starts them. The Sentinels take a master that is silent for a second for dead.
func StartSentinels(t testing.TB, settings ...string) *Sentinels {
	t.Helper()
	c := &Sentinels{t: t, servers: []*Server{Start(t, settings...)}}
	master := c.servers[0]
	replica := newServer(t, append(settings, fmt.Sprintf("replicaof 127.0.0.1 %d", master.port))...)
	replica.Restart()
	c.servers = append(c.servers, replica)
	replica.await("to be in step with its master", func() bool {
		return strings.Contains(replica.Do("INFO", "replication"), "master_link_status:up")
	})
	for range 3 {
		s := newServer(t)
		s.sentinel = true
		conf := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 2\n"+
			"sentinel down-after-milliseconds %[3]s 1000\nsentinel failover-timeout %[3]s 5000\n",
			s.port, s.dir, MasterName, master.port)
		if err := os.WriteFile(filepath.Join(s.dir, "sentinel.conf"), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Restart()
		c.watch = append(c.watch, s)
	}
	for _, s := range c.watch {
		s.await("to know the others", func() bool {
			about := s.Do("SENTINEL", "MASTER", MasterName)
			return strings.Contains(about, "num-other-sentinels\n2\n") && strings.Contains(about, "num-slaves\n1\n")
		})
	}
	return c
}

// Addrs is where the Sentinels listen.
func (c *Sentinels) Addrs() (addrs []string) {
	for _, s := range c.watch {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Master is the server that the Sentinels take for the master.
func (c *Sentinels) Master() *Server {
	c.t.Helper()
	host, port, _ := strings.Cut(c.watch[0].Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName), "\n")
	for _, s := range c.servers {
		if s.Addr() == host+":"+port {
			return s
		}
	}
	c.t.Fatalf("redistest: the master is at %s:%s, which is none of the servers", host, port)
	return nil
}

// Replica is the other server.
func (c *Sentinels) Replica() *Server {
	c.t.Helper()
	if c.Master() == c.servers[0] {
		return c.servers[1]
	}
	return c.servers[0]
}

// AwaitMaster waits until all Sentinels take s for the master, and s does so too.
func (c *Sentinels) AwaitMaster(s *Server) {
	c.t.Helper()
	want := strings.ReplaceAll(s.Addr(), ":", "\n")
	for _, w := range c.watch {
		w.await("to see the failover", func() bool {
			return w.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName) == want
		})
	}
	s.await("to be the master", func() bool { return s.hasRole("master") })
}

// Switch makes the replica the master, and the master its replica, and waits until all know.
func (c *Sentinels) Switch() {
	c.t.Helper()
	old, replica := c.Master(), c.Replica()
	c.watch[0].await("to begin the failover", func() bool {
		_, err := c.watch[0].Try("SENTINEL", "FAILOVER", MasterName)
		return err == nil
	})
	c.AwaitMaster(replica)
	old.await("to be a replica", func() bool { return old.hasRole("slave") })
}

// hasRole tells what a server takes itself for. While that changes, connections are cut.
func (s *Server) hasRole(role string) bool {
	info, err := s.Try("INFO", "replication")
	return err == nil && strings.Contains(info, "role:"+role)
}
