package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/backoff"
	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
)

// asNode makes the test binary a node.
const asNode = "HUBKIT_CLUSTER_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(asNode) == "" {
		testenv.Main(m, goleak.IgnoreCurrent()) // ants starts goroutines when it is imported
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := runNode(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

// runNode is a hub with the rooms past* with history, here* with presence, both* with both, and others. A user is
// who the query says. What an application would do is done over HTTP.
func runNode(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("node", flag.ContinueOnError)
	name := fs.String("node", "", "")
	servers := fs.String("redis", "", "by commas")
	master := fs.String("sentinel", "", "name of the master; the servers are then Sentinels")
	degrade := fs.Bool("degrade", false, "")
	ttl := fs.Duration("ttl", 2*time.Second, "of presence")
	dial := fs.Duration("dial", 10*time.Second, "timeout of connecting to Redis")
	io := fs.Duration("io", 10*time.Second, "timeout of a command to Redis")
	linger := fs.Duration("linger", 200*time.Millisecond, "")
	rate := fs.Float64("rate", 0, "of admission; zero is no bound")
	uses := fs.Bool("uses", false, "have the hooks of rooms over all nodes")
	perUser := fs.String("one-per-user", "", "refuse the new connection, or close the oldest")
	if err := fs.Parse(args); err != nil {
		return err
	}
	// What takes seconds by default takes fractions here.
	retry, err := backoff.New(backoff.WithBase(20*time.Millisecond), backoff.WithCap(200*time.Millisecond))
	if err != nil {
		return err
	}
	ropts := []redis.Option{
		redis.WithClientName(*name), redis.WithBackoff(retry), redis.WithPresenceTTL(*ttl, *ttl/4),
		redis.WithDialTimeout(*dial), redis.WithIOTimeout(*io),
	}
	if *master != "" {
		ropts = append(ropts, redis.WithSentinel(*master))
	}
	b, err := redis.New(strings.Split(*servers, ","), ropts...)
	if err != nil {
		return err
	}
	outage := hub.OutageRefuse
	if *degrade {
		outage = hub.OutageDegrade
	}
	opts := []hub.Option{
		hub.WithNode(*name), hub.WithBroker(b), hub.WithOutage(outage), hub.WithOpenRooms("*"),
		hub.WithRooms("past*", hub.History(100_000, time.Hour)), hub.WithRooms("here*", hub.Presence()),
		hub.WithRooms("both*", hub.History(100_000, time.Hour), hub.Presence()),
		hub.WithRoomLinger(*linger), hub.WithDrain(100 * time.Millisecond), hub.WithoutRateLimit(),
		hub.WithBacklog(100_000, 64<<20),
		hub.WithAuthenticator(func(r *http.Request) (hub.Identity, error) {
			return hub.Identity{User: r.URL.Query().Get("user")}, nil
		}),
	}
	if *perUser != "" {
		excess := map[string]hub.OnExcess{"refuse": hub.RefuseNew, "close": hub.CloseOldest}[*perUser]
		opts = append(opts, hub.WithMaxPerUserOverall(1, excess))
	}
	if *rate > 0 {
		opts = append(opts, hub.WithAdmission(*rate, int(*rate/50)))
	}
	h, err := hub.New(opts...)
	if err != nil {
		return err
	}
	err = h.HandleSurvey("mood", func(ctx context.Context, data []byte) (any, error) { return mood(ctx, *name, data) })
	if err != nil {
		return errors.Join(err, h.Close())
	}
	told := &roomUses{}
	if *uses {
		h.OnClusterRoomUsed(func(_ context.Context, room string) { told.add("used " + room) })
		h.OnClusterRoomEmpty(func(_ context.Context, room string) { told.add("empty " + room) })
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, h.Close())
	}
	// On a busy machine thousands of connections wait long for their first read. To end those is not what is tested.
	srv := &http.Server{Handler: control(h, b, told), ReadHeaderTimeout: 2 * patience, ConnContext: keepConn}
	go func() { _ = srv.Serve(ln) }()
	fmt.Println("node at", ln.Addr())
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(h.Shutdown(end), srv.Close())
}

// mood answers a survey: data says which node panics, fails or says nothing.
func mood(ctx context.Context, name string, data []byte) (any, error) {
	var is map[string]string
	if err := json.Unmarshal(data, &is); err != nil {
		return nil, err
	}
	switch is[name] {
	case "panicking":
		panic("a survey handler that panics")
	case "failing":
		return nil, errors.New("not today")
	case "silent":
		<-ctx.Done()
	}
	return "I am " + name, nil
}

// answer is what control says of a survey.
type answer struct {
	Node, Err string
	Data      json.RawMessage
}

type nodeStats struct {
	Hub    hub.Stats
	Broker redis.Stats
}

// arrivals notes when handshakes come to the machine, admitted or not.
type arrivals struct {
	mu    sync.Mutex
	times []time.Duration
	start time.Time
}

// roomUses are the calls of OnClusterRoomUsed and OnClusterRoomEmpty.
type roomUses struct {
	mu    sync.Mutex
	calls []string
}

func (u *roomUses) add(call string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, call)
}

func (u *roomUses) all() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.calls)
}

type connKey struct{}

func keepConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func (a *arrivals) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := arrived(r.Context().Value(connKey{}).(net.Conn))
		a.mu.Lock()
		a.times = append(a.times, at.Sub(a.start))
		a.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

func (a *arrivals) all() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(slices.Values(a.times))
}

func control(h *hub.Hub, b *redis.Broker, told *roomUses) http.Handler {
	mux := http.NewServeMux()
	came := &arrivals{start: time.Now()}
	mux.Handle("/ws", came.before(h))
	do := func(pattern string, f func(r *http.Request, arg func(string) string, body []byte) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			v, err := f(r, r.URL.Query().Get, body)
			switch {
			case errors.Is(err, broker.ErrUnavailable):
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			case err != nil:
				http.Error(w, err.Error(), http.StatusInternalServerError)
			default:
				_ = json.NewEncoder(w).Encode(v)
			}
		})
	}
	do("/publish", func(r *http.Request, arg func(string) string, body []byte) (any, error) {
		var opts []hub.PublishOption
		if key := arg("key"); key != "" {
			opts = append(opts, hub.IdempotencyKey(key, 0))
		}
		return h.Publish(r.Context(), arg("room"), body, opts...)
	})
	do("/presence", func(r *http.Request, arg func(string) string, _ []byte) (any, error) {
		return h.Presence(r.Context(), arg("room"), 0)
	})
	do("/send", func(r *http.Request, arg func(string) string, body []byte) (any, error) {
		return nil, h.SendUser(r.Context(), arg("user"), body)
	})
	do("/disconnect", func(r *http.Request, arg func(string) string, _ []byte) (any, error) {
		return h.Disconnect(r.Context(), hub.ByUser(arg("user")), &hub.CloseError{Reason: "bye"})
	})
	do("/nodes", func(r *http.Request, _ func(string) string, _ []byte) (any, error) { return h.Nodes(r.Context()) })
	do("/survey", func(r *http.Request, arg func(string) string, body []byte) (any, error) {
		within, err := time.ParseDuration(arg("within"))
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		answers, err := h.Survey(ctx, "mood", body)
		out := make([]answer, len(answers))
		for i, a := range answers {
			out[i] = answer{Node: a.Node, Data: a.Data}
			switch {
			case errors.Is(a.Err, hub.ErrNoAnswer):
				out[i].Err = "no answer"
			case a.Err != nil:
				out[i].Err = a.Err.Error()
			}
		}
		return out, err
	})
	do("/uses", func(*http.Request, func(string) string, []byte) (any, error) { return told.all(), nil })
	do("/arrivals", func(*http.Request, func(string) string, []byte) (any, error) { return came.all(), nil })
	do("/ready", func(*http.Request, func(string) string, []byte) (any, error) { return h.Ready(), nil })
	do("/stats", func(*http.Request, func(string) string, []byte) (any, error) {
		return nodeStats{h.Stats(), b.Stats()}, nil
	})
	return mux
}
