package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// lines returns the lines that contain all parts.
func (j *journal) lines(parts ...string) (found []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
next:
	for line := range strings.Lines(j.text.String()) {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

func (j *journal) option() redis.Option {
	return redis.WithLogger(slog.New(slog.NewTextHandler(j, nil)))
}

func stale(t *testing.T, rec *brokertest.Recorder) {
	t.Helper()
	wait(t, rec, "the state to be stale", func(r *brokertest.Recorder) bool {
		s := r.States()
		return len(s) > 0 && s[len(s)-1] == broker.Stale
	})
}

func settled(t *testing.T, rec *brokertest.Recorder) {
	t.Helper()
	wait(t, rec, "the state to be live", func(r *brokertest.Recorder) bool {
		s := r.States()
		return len(s) > 0 && s[len(s)-1] == broker.Live
	})
}

// failover makes a replica the primary, and the primary its replica, as a planned failover does.
func failover(t *testing.T, from, to *redistest.Server) {
	t.Helper()
	_, port, _ := strings.Cut(to.Addr(), ":")
	eventually(t, "the primary to know its replica", func() bool {
		return strings.Contains(from.Do("INFO", "replication"), "state=online")
	})
	from.Do("FAILOVER", "TO", "127.0.0.1", port)
	eventually(t, "the failover", func() bool {
		return strings.Contains(to.Do("INFO", "replication"), "role:master") &&
			strings.Contains(from.Do("INFO", "replication"), "master_link_status:up")
	})
}

// pair starts a primary and its replica.
func pair(t *testing.T) (primary, replica *redistest.Server) {
	t.Helper()
	primary = redistest.Start(t)
	_, port, _ := strings.Cut(primary.Addr(), ":")
	replica = redistest.Start(t, "replicaof 127.0.0.1 "+port)
	eventually(t, "the replica to be in step", func() bool {
		return strings.Contains(replica.Do("INFO", "replication"), "master_link_status:up")
	})
	return primary, replica
}

// A primary is demoted behind the address that the nodes have, and their connections stay: they are dropped, a publication that
// would reach few is refused, and nothing that was accepted is missing at the other nodes.
func TestPrimaryDemoted(t *testing.T) {
	old, next := pair(t)
	at := newName(t, old.Addr())
	var log journal
	// The I/O timeout puts the next look off for long: it is the publication that finds out.
	b, rec := start(t, []string{at.addr()}, append(quick(t), log.option(), redis.WithIOTimeout(10*time.Minute))...)
	subscribe(t, b, "plain", "kept")
	if err := b.Enter(t.Context(), "plain", broker.Member{Conn: "c"}); err != nil {
		t.Fatal(err)
	}
	publish(t, b, "kept", broker.Publication{Data: []byte("m"), Retention: kept})
	failover(t, old, next)
	at.point(next.Addr())
	far, heard := start(t, []string{next.Addr()}, brisk(t)...)
	subscribe(t, far, "plain", "kept")

	var accepted []string
	refused := 0
	eventually(t, "publications to be accepted", func() bool {
		data := strconv.Itoa(len(accepted) + refused)
		_, err := b.Publish(t.Context(), "plain", broker.Publication{Data: []byte(data)})
		switch {
		case err == nil:
			accepted = append(accepted, data)
		case errors.Is(err, broker.ErrUnavailable):
			refused++
		default:
			t.Fatalf("Publish: %v, want ErrUnavailable", err)
		}
		return len(accepted) == 20
	})
	wait(t, heard, "what was accepted", func(r *brokertest.Recorder) bool { return len(r.Messages("plain")) >= len(accepted) })
	for i, m := range heard.Messages("plain") {
		if string(m.Data) != accepted[i] {
			t.Errorf("message %d is %s, want %s", i, m.Data, accepted[i])
		}
	}
	if refused == 0 {
		t.Error("no publication was refused, and the first was to a replica")
	}
	live(t, rec, 1)
	l := startLoad(t, b, "kept")
	l.more(20)
	l.end()
	eventually(t, "the member to be there", func() bool {
		n, err := far.Count(t.Context(), "plain")
		return err == nil && n == 1
	})
	if err := b.Broadcast(t.Context(), []byte("all")); err != nil {
		t.Error(err)
	}
	wait(t, heard, "the command", func(r *brokertest.Recorder) bool { return len(r.Commands()) == 1 })
	if len(log.lines("replica")) == 0 {
		t.Errorf("the log does not say that the server is a replica:\n%s", log.lines())
	}
}

// While the address points at a replica the node is stale, whatever the replica brings, and nothing is accepted.
func TestNoPrimary(t *testing.T) {
	old, next := pair(t)
	var log journal
	b, rec := start(t, []string{old.Addr()}, append(quick(t), log.option())...)
	subscribe(t, b, "room")
	failover(t, old, next)
	stale(t, rec)
	for range 20 {
		if _, err := b.Publish(t.Context(), "room", broker.Publication{Data: []byte("m")}); !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("Publish: %v, want ErrUnavailable", err)
		}
		if err := b.Broadcast(t.Context(), nil); !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("Broadcast: %v, want ErrUnavailable", err)
		}
		if _, err := b.Publish(t.Context(), "room", broker.Publication{Data: []byte("m"), Retention: kept}); !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("Publish to a room with history: %v, want ErrUnavailable", err)
		}
	}
	if s := rec.States(); s[len(s)-1] != broker.Stale {
		t.Errorf("states %v, want stale last", s)
	}
	other := newBroker(t, []string{old.Addr()}, quick(t)...)
	if err := other.Start(t.Context(), "other", nil); !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "replica") {
		t.Errorf("Start at a replica: %v, want ErrUnavailable for that", err)
	}
	failover(t, next, old)
	settled(t, rec)
	eventually(t, "publications to be accepted", func() bool {
		_, err := b.Publish(t.Context(), "room", broker.Publication{Data: []byte("m")})
		return err == nil
	})
}

// What keeps Redis from being written to is told as stale and logged, and live is told when it is over.
func TestUnwritable(t *testing.T) {
	for _, tt := range []struct {
		code        string
		cause, cure [][]string
	}{
		{"OOM", [][]string{{"CONFIG", "SET", "maxmemory", "1"}}, [][]string{{"CONFIG", "SET", "maxmemory", "0"}}},
		{"NOREPLICAS", [][]string{{"CONFIG", "SET", "min-replicas-to-write", "1"}}, [][]string{{"CONFIG", "SET", "min-replicas-to-write", "0"}}},
		{"MISCONF",
			[][]string{{"CONFIG", "SET", "save", "3600 1000000"}},
			[][]string{{"CONFIG", "SET", "save", ""}}},
		{"NOPERM", [][]string{{"ACL", "SETUSER", "hub", "resetkeys"}}, [][]string{{"ACL", "SETUSER", "hub", "allkeys"}}},
	} {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			s.Do("ACL", "SETUSER", "hub", "on", ">pw", "+@all", "allkeys", "allchannels")
			var log journal
			b, rec := start(t, []string{s.Addr()}, append(quick(t), log.option(), redis.WithAuth("hub", "pw"))...)
			subscribe(t, b, "room")
			publish(t, b, "room", broker.Publication{Data: []byte("m"), Retention: kept})
			for _, c := range tt.cause {
				s.Do(c...)
			}
			if tt.code == "MISCONF" {
				_, dir, _ := strings.Cut(s.Do("CONFIG", "GET", "dir"), "\n")
				if err := os.Mkdir(filepath.Join(dir, "dump.rdb"), 0o700); err != nil { // the server cannot put its file there
					t.Fatal(err)
				}
				s.Do("BGSAVE")
			}
			stale(t, rec)
			if _, err := b.Publish(t.Context(), "room", broker.Publication{Data: []byte("m"), Retention: kept}); !errors.Is(err, broker.ErrUnavailable) {
				t.Errorf("Publish to a room with history: %v, want ErrUnavailable", err)
			}
			if _, err := b.Publish(t.Context(), "room", broker.Publication{Data: []byte("m")}); err != nil {
				t.Errorf("Publish to a room without history: %v, want that it is taken as ever", err)
			}
			eventually(t, "the log to say why", func() bool { return len(log.lines("redis cannot be written to", tt.code)) > 0 })
			if n := len(log.lines("redis cannot be written to")); n > 2 {
				t.Errorf("it is logged %d times, want once a minute", n)
			}
			for _, c := range tt.cure {
				s.Do(c...)
			}
			settled(t, rec)
			publish(t, b, "room", broker.Publication{Data: []byte("m"), Retention: kept})
			eventually(t, "the log to say that it is over", func() bool { return len(log.lines("redis can be written to again")) > 0 })
			if b.Stats().Unwritable == 0 {
				t.Errorf("%+v, and the log:\n%s", b.Stats(), log.lines())
			}
		})
	}
}

// A password changes while nodes run and their connections break: they come back with the new one.
func TestRotation(t *testing.T) {
	for name, rotate := range map[string]func(s *redistest.Server, password string){
		"ACL": func(s *redistest.Server, password string) { s.Do("ACL", "SETUSER", "hub", "resetpass", ">"+password) },
		"ACL and the user's connections": func(s *redistest.Server, password string) {
			s.Do("ACL", "DELUSER", "hub")
			s.Do("ACL", "SETUSER", "hub", "on", ">"+password, "+@all", "allkeys", "allchannels")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			s.Do("ACL", "SETUSER", "hub", "on", ">first", "+@all", "allkeys", "allchannels")
			var mu sync.Mutex
			password := "first"
			ask := func(context.Context) (string, string, error) {
				mu.Lock()
				defer mu.Unlock()
				return "hub", password, nil
			}
			var log journal
			b, rec := start(t, []string{s.Addr()}, append(quick(t), redis.WithCredentials(ask), log.option())...)
			subscribe(t, b, "room")
			publish(t, b, "room", broker.Publication{Data: []byte("m"), Retention: kept})
			rotate(s, "second")
			_, _ = s.Try("CLIENT", "KILL", "USER", "hub")
			stale(t, rec)
			eventually(t, "the log to say why", func() bool { return len(log.lines("WRONGPASS")) > 0 })
			if _, err := b.Publish(t.Context(), "room", broker.Publication{Data: []byte("m")}); !errors.Is(err, broker.ErrUnavailable) {
				t.Errorf("Publish: %v, want ErrUnavailable", err)
			}
			mu.Lock()
			password = "second"
			mu.Unlock()
			settled(t, rec)
			eventually(t, "publications to be accepted", func() bool {
				_, err := b.Publish(t.Context(), "room", broker.Publication{Data: []byte("m"), Retention: kept})
				return err == nil
			})
			wait(t, rec, "a message", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) >= 2 })
			for _, secret := range []string{"first", "second"} {
				if found := log.lines(secret); len(found) > 0 {
					t.Errorf("a password is logged: %s", found)
				}
			}
		})
	}
}

// The function for credentials is the application's: it may fail, panic, or be slow, and costs the connection only.
func TestCredentialsFail(t *testing.T) {
	s := redistest.Start(t)
	for name, tt := range map[string]struct {
		ask  func(context.Context) (string, string, error)
		want string
	}{
		"error":    {func(context.Context) (string, string, error) { return "", "", errors.New("vault is sealed") }, "vault is sealed"},
		"panic":    {func(context.Context) (string, string, error) { panic("boom") }, "panic: boom"},
		"password": {func(context.Context) (string, string, error) { return "user", "", nil }, "has no password"},
		"slow": {func(ctx context.Context) (string, string, error) {
			<-ctx.Done()
			return "", "", fmt.Errorf("gave up: %w", ctx.Err())
		}, "credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			b := newBroker(t, []string{s.Addr()}, append(quick(t), redis.WithCredentials(tt.ask), log.option())...)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			begin := time.Now()
			if err := b.Start(ctx, "node", brokertest.NewRecorder()); !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Start: %v, want ErrUnavailable for: %s", err, tt.want)
			}
			if d := time.Since(begin); d > 15*time.Second {
				t.Errorf("Start took %v", d)
			}
			closeWithTest(t, b)
		})
	}
}
