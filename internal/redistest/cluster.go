package redistest

import (
	"strconv"
	"strings"
	"testing"
)

// slots is how many hash slots a cluster has.
const slots = 16384

// Cluster is a Redis Cluster of three masters, and as many replicas as asked for.
type Cluster struct {
	t       testing.TB
	Servers []*Server // the masters first, to begin with
}

// StartCluster starts three masters with the slots divided equally, each with a replica if replicas is
// set. A node that is silent for a second is taken for dead.
func StartCluster(t testing.TB, replicas bool, settings ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	count := 3
	if replicas {
		count = 6
	}
	settings = append([]string{
		"cluster-enabled yes", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0",
		"cluster-require-full-coverage no",
	}, settings...)
	for i := range count {
		s := newServer(t, settings...)
		s.Restart()
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		c.Servers = append(c.Servers, s)
	}
	first := c.Servers[0]
	for i, s := range c.Servers {
		if i < 3 {
			s.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/3), strconv.Itoa((i+1)*slots/3-1))
		}
		if i > 0 {
			s.Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first.port))
		}
	}
	for _, s := range c.Servers {
		s.await("to know the cluster", func() bool {
			return len(strings.Split(strings.TrimSpace(s.Do("CLUSTER", "NODES")), "\n")) == count
		})
	}
	for i, s := range c.Servers[3:] {
		id := c.Servers[i].ID()
		s.await("to become a replica", func() bool {
			_, err := s.Try("CLUSTER", "REPLICATE", id)
			return err == nil
		})
	}
	c.Await()
	return c
}

// Await waits until all servers that run agree that the cluster is whole, with replicas in step.
func (c *Cluster) Await() {
	c.t.Helper()
	for _, s := range c.Servers {
		select {
		case <-s.process.Done():
			continue
		default:
		}
		s.await("to find the cluster whole", func() bool {
			info, err := s.Try("CLUSTER", "INFO")
			role, err2 := s.Try("INFO", "replication")
			return err == nil && err2 == nil && strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, "cluster_slots_ok:16384") &&
				(strings.Contains(role, "role:master") || strings.Contains(role, "master_link_status:up"))
		})
	}
}

// Addrs is where the servers listen.
func (c *Cluster) Addrs() (addrs []string) {
	for _, s := range c.Servers {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// ID is the server's name in its cluster.
func (s *Server) ID() string {
	s.t.Helper()
	return s.Do("CLUSTER", "MYID")
}

// Owner is the master of a key's slot, as the servers that run see it.
func (c *Cluster) Owner(key string) *Server {
	c.t.Helper()
	for _, s := range c.Servers {
		slot, err := s.Try("CLUSTER", "KEYSLOT", key)
		if err != nil {
			continue
		}
		n, err := strconv.Atoi(slot)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, owner := range c.Servers {
			if owner.owns(n) {
				return owner
			}
		}
	}
	c.t.Fatalf("redistest: nobody owns the slot of %q", key)
	return nil
}

// owns tells whether a server that runs takes itself for the master of a slot.
func (s *Server) owns(slot int) bool {
	nodes, err := s.Try("CLUSTER", "NODES")
	if err != nil {
		return false
	}
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.Contains(fields[2], "myself,master") {
			continue
		}
		for _, r := range fields[8:] {
			from, to, ok := strings.Cut(r, "-")
			if !ok {
				to = from
			}
			lo, err1 := strconv.Atoi(from)
			hi, err2 := strconv.Atoi(to)
			if err1 == nil && err2 == nil && lo <= slot && slot <= hi {
				return true
			}
		}
	}
	return false
}

// Move moves the slot of a key, with its keys, to another master, as a resharding does.
func (c *Cluster) Move(key string, to *Server) {
	c.t.Helper()
	from := c.Owner(key)
	slot := from.Do("CLUSTER", "KEYSLOT", key)
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from.ID())
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", to.ID())
	for {
		keys := from.Do("CLUSTER", "GETKEYSINSLOT", slot, "100")
		if keys == "" {
			break
		}
		args := []string{"MIGRATE", "127.0.0.1", strconv.Itoa(to.port), "", "0", "5000", "KEYS"}
		from.Do(append(args, strings.Split(keys, "\n")...)...)
	}
	to.Do("CLUSTER", "SETSLOT", slot, "NODE", to.ID())
	from.Do("CLUSTER", "SETSLOT", slot, "NODE", to.ID())
	for _, s := range c.Servers {
		s.await("to see the slot move", func() bool {
			_, err := s.Try("SPUBLISH", "{"+tagOf(key)+"}", "")
			return err == nil || strings.HasPrefix(err.Error(), "MOVED "+slot+" "+to.Addr())
		})
	}
}

func tagOf(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// Replica is a replica of a master.
func (c *Cluster) Replica(master *Server) *Server {
	c.t.Helper()
	id := master.ID()
	for _, s := range c.Servers {
		nodes, err := s.Try("CLUSTER", "NODES")
		if err != nil {
			continue
		}
		for line := range strings.Lines(nodes) {
			f := strings.Fields(line)
			if len(f) > 3 && strings.Contains(f[2], "myself,slave") && f[3] == id {
				return s
			}
		}
	}
	c.t.Fatalf("redistest: %s has no replica", master.Addr())
	return nil
}
