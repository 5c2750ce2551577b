package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// The times of the tests of this file: half a TTL is time enough for a visit on a busy machine. A node that does not come to it
// within a TTL is dead, which is not what tests with longTTL are about.
const (
	mendTTL     = 5 * time.Second
	longTTL     = time.Minute
	mendRefresh = 500 * time.Millisecond
)

// fleet is three nodes, each with members in one room.
type fleet struct {
	t       *testing.T
	server  *redistest.Server
	nodes   []*redis.Broker
	records []*brokertest.Recorder
	want    []string
}

func newFleet(t *testing.T) *fleet { return newFleetOf(t, mendTTL) }

func newFleetOf(t *testing.T, ttl time.Duration) *fleet {
	t.Helper()
	f := &fleet{t: t, server: redistest.Start(t)}
	for range 3 {
		b, rec := start(t, []string{f.server.Addr()}, append(brisk(t), redis.WithPresenceTTL(ttl, mendRefresh))...)
		subscribe(t, b, "room")
		f.nodes, f.records = append(f.nodes, b), append(f.records, rec)
	}
	for i := range f.nodes {
		for j := range 1 + 100*i { // more than are listed again at once
			f.enter(i, fmt.Sprintf("%d-%03d", i, j))
		}
	}
	for _, rec := range f.records {
		wait(t, rec, "all to be announced", func(r *brokertest.Recorder) bool { return len(changes(r, "room")) == len(f.want) })
	}
	return f
}

func (f *fleet) enter(node int, conn string) {
	f.t.Helper()
	enter(f.t, f.nodes[node], "room", conn)
	f.want = append(f.want, conn)
	slices.Sort(f.want)
}

// list returns the members as a node sees them.
func (f *fleet) list(node int) ([]string, error) {
	ms, err := f.nodes[node].Members(f.t.Context(), "room", 0)
	var conns []string
	for _, m := range ms {
		conns = append(conns, m.Conn)
	}
	return conns, err
}

// whole waits until every node lists all members. Until then presence must be an error: a list that is too short is a lie.
func (f *fleet) whole(within time.Duration) {
	f.t.Helper()
	begin := time.Now()
	for i := range f.nodes {
		eventually(f.t, fmt.Sprintf("node %d to list all members", i), func() bool {
			conns, err := f.list(i)
			if err == nil && !slices.Equal(conns, f.want) {
				f.t.Fatalf("node %d lists %d members without an error, want %d", i, len(conns), len(f.want))
			}
			if err != nil && !errors.Is(err, broker.ErrUnavailable) {
				f.t.Fatalf("node %d: %v", i, err)
			}
			return err == nil
		})
	}
	if d := time.Since(begin); d > within {
		f.t.Errorf("all members are listed after %v, want at most %v", d, within)
	}
}

// quiet fails if nodes were told of anybody but those that came, each once.
func (f *fleet) quiet() {
	f.t.Helper()
	for i, rec := range f.records {
		wait(f.t, rec, "all to be announced", func(r *brokertest.Recorder) bool { return len(changes(r, "room")) >= len(f.want) })
		told := changes(rec, "room")
		slices.Sort(told)
		for j := range told {
			told[j] = strings.TrimPrefix(told[j], "+")
		}
		if !slices.Equal(told, f.want) {
			f.t.Errorf("node %d was told of %d changes, want each of %d members to come once", i, len(told), len(f.want))
		}
	}
}

// Whatever Redis loses of a room, and whoever joins meanwhile, all members are listed again, and none is announced twice.
func TestPresenceComesBack(t *testing.T) {
	for name, lose := range map[string]func(s *redistest.Server){
		"flushed":   func(s *redistest.Server) { s.Do("FLUSHALL") },
		"restarted": (*redistest.Server).Forget,
		"evicted": func(s *redistest.Server) {
			for key := range strings.Lines(s.Do("KEYS", "hubkit:{room}*")) {
				s.Do("UNLINK", strings.TrimSpace(key))
			}
		},
	} {
		for _, joins := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/joins %v", name, joins), func(t *testing.T) {
				t.Parallel()
				f := newFleetOf(t, longTTL)
				lose(f.server)
				if name == "restarted" {
					for _, rec := range f.records {
						live(t, rec, 1) // what is announced before that is not heard
					}
				}
				if joins {
					eventually(t, "a member to join", func() bool {
						return f.nodes[1].Enter(t.Context(), "room", broker.Member{Conn: "late"}) == nil
					})
					f.want = append(f.want, "late")
				}
				f.whole(longTTL / 2)
				f.quiet()
			})
		}
	}
}

// However long a node takes to list its members again, short of a TTL, nobody is told of too few until then.
func TestPresenceWaitsForSlowNode(t *testing.T) {
	for _, died := range []bool{false, true} {
		t.Run(fmt.Sprintf("died %v", died), func(t *testing.T) {
			t.Parallel()
			f := newFleetOf(t, longTTL)
			goOn := f.nodes[2].Stall()
			defer goOn()
			f.server.Do("FLUSHALL")
			missing := 0
			for end := time.Now().Add(4 * mendRefresh); time.Now().Before(end) || missing < 10; missing++ {
				for i := range f.nodes[:2] {
					if conns, err := f.list(i); !errors.Is(err, broker.ErrUnavailable) {
						t.Fatalf("node %d lists %d members, %v; want an error until node 2 has listed its own", i, len(conns), err)
					}
				}
				time.Sleep(5 * time.Millisecond)
			}
			if died {
				f.nodes[0].Died(f.nodes[2])
				eventually(t, "the members of those that live", func() bool {
					conns, err := f.list(0)
					return err == nil && len(conns) == 1+101
				})
				return
			}
			goOn()
			f.whole(longTTL / 2)
			f.quiet()
		})
	}
}

// Each key of a room may be evicted alone.
func TestPresenceIsOneKey(t *testing.T) {
	f := newFleet(t)
	if keys := strings.TrimSpace(f.server.Do("KEYS", "hubkit:{room}*")); keys != "hubkit:{room}:presence" {
		t.Errorf("presence has the keys %q, want one that is lost whole", keys)
	}
}

// While Redis takes no writes, members stay; presence is right, or an error. Nobody is taken to be dead for it.
func TestPresenceWithoutWrites(t *testing.T) {
	for name, setting := range map[string][3]string{
		"out of memory": {"maxmemory", "1", "0"},
		"no replicas":   {"min-replicas-to-write", "1", "0"}, // as with MISCONF, every write is refused
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.server.Do("CONFIG", "SET", setting[0], setting[1])
			for end := time.Now().Add(3 * mendTTL / 2); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if conns, err := f.list(0); err == nil && len(conns) != len(f.want) {
					t.Fatalf("%d members without an error, want %d", len(conns), len(f.want))
				}
			}
			f.server.Do("CONFIG", "SET", setting[0], setting[2])
			f.whole(2 * mendTTL)
			f.quiet()
		})
	}
}

// After a pause of Redis, short or longer than all that it has lives, nobody is announced again without having left.
func TestPresenceAfterPause(t *testing.T) {
	for _, pause := range []time.Duration{3 * mendTTL / 2, 5 * mendTTL / 2} {
		t.Run(pause.String(), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.server.Do("CLIENT", "PAUSE", fmt.Sprint(pause.Milliseconds()), "ALL")
			time.Sleep(pause)
			f.whole(longTTL / 2)
			time.Sleep(mendTTL) // nobody is taken to be dead later
			f.whole(longTTL / 2)
			f.quiet()
		})
	}
}

// A node that could not reach Redis for longer than a TTL, while others could, is announced as gone, and as back.
func TestPresenceOfCutOffNode(t *testing.T) {
	f := newFleet(t)
	// What a visitor does that has not heard of the node for a TTL.
	const forgets = `
		for _, e in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[o:', '(o;')) do
			local owner, conn = string.match(e, '^o:(.-)%z(.*)$')
			if conn == '0-000' then
				local t = redis.call('ZRANGEBYLEX', KEYS[1], '[t:' .. owner, '(t:' .. owner .. '~')[1]
				redis.call('ZREM', KEYS[1], t)
				redis.call('ZADD', KEYS[1], 0, 't:' .. owner .. '\0001 2000')
			end
		end
		return 0`
	eventually(t, "another node to list all but one", func() bool { // if the node's own visit does not come between
		f.server.Do("EVAL", forgets, "1", "hubkit:{room}:presence")
		conns, err := f.list(1)
		return err == nil && len(conns) == len(f.want)-1
	})
	wait(t, f.records[2], "the member to leave and to come back", func(r *brokertest.Recorder) bool {
		told := changes(r, "room")
		n := len(told)
		return n >= 2 && slices.Contains(told, "-0-000") && slices.Index(told, "-0-000") < n-1
	})
	if told := changes(f.records[2], "room"); !slices.Equal(told[len(told)-2:], []string{"-0-000", "+0-000"}) {
		t.Errorf("told %v at last, want the member to leave and to come back", told[len(told)-2:])
	}
	f.whole(longTTL / 2)
}

// A server that comes back with older data has lost some who joined, and lists some who left.
func TestPresenceOfOlderData(t *testing.T) {
	f := newFleet(t)
	f.server.Do("EVAL", `
		for _, e in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[o:', '(o;')) do
			local owner, conn = string.match(e, '^o:(.-)%z(.*)$')
			if conn == '1-007' then redis.call('ZREM', KEYS[1], e) end
			if conn == '2-007' then
				redis.call('ZADD', KEYS[1], 0, 'o:' .. owner .. '\000old', 0, 'm:old\000' .. owner .. '\000{"conn":"old"}')
			end
		end
		local m = redis.call('ZRANGEBYLEX', KEYS[1], '[m:1-007', '(m:1-007~')[1]
		return redis.call('ZREM', KEYS[1], m)`, "1", "hubkit:{room}:presence")
	eventually(t, "the list to be right again", func() bool {
		conns, err := f.list(0)
		return err == nil && slices.Equal(conns, f.want)
	})
}

// A node that was killed while the server's clock was a day ahead is gone within the TTL after it was set back.
func TestPresenceAfterClockSetBack(t *testing.T) {
	f := newFleet(t)
	f.nodes[2].Abandon()
	f.server.Do("EVAL", `
		local day = 24 * 3600 * 1000
		for _, e in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[t:', '(t;')) do
			local owner, expires, ttl = string.match(e, '^t:(.-)%z(%d+) (%d+)$')
			redis.call('ZREM', KEYS[1], e)
			redis.call('ZADD', KEYS[1], 0, string.format('t:%s\000%.0f %s', owner, expires + day, ttl))
		end
		local p = redis.call('ZRANGEBYLEX', KEYS[1], '[p:', '(p;')[1]
		redis.call('ZREM', KEYS[1], p)
		return redis.call('ZADD', KEYS[1], 0, string.format('p:%.0f 0', string.match(p, '%d+') + day))`, "1", "hubkit:{room}:presence")
	begin := time.Now()
	eventually(t, "the members of the killed node to be gone", func() bool {
		conns, err := f.list(0)
		return err == nil && len(conns) == 1+101
	})
	if d := time.Since(begin); d > mendTTL+10*time.Second {
		t.Errorf("gone after %v, want about %v", d, mendTTL)
	}
}
