package hub_test

import (
	"compress/flate"
	"context"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/preflight"
	"github.com/gohubkit/hubkit/workerpool"
)

// bare has none of the capabilities of the broker it hides.
type bare struct{ broker.Broker }

type optionCase struct {
	good [][]hub.Option
	bad  map[string][]hub.Option // by a part of the complaint
}

func one(o ...hub.Option) []hub.Option { return o }

func optionCases(t *testing.T) map[string]optionCase {
	mem := func() *memory.Broker {
		b, err := memory.New()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	pool, err := workerpool.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	auth := func(*http.Request) (hub.Identity, error) { return hub.Identity{}, nil }
	verify := func(context.Context, string) (hub.Identity, error) { return hub.Identity{}, nil }
	anyOrigin := func(*http.Request) bool { return true }
	// times are the options that take one, which has to be positive.
	times := func(f func(time.Duration) hub.Option, name string) optionCase {
		return optionCase{
			good: [][]hub.Option{one(f(time.Nanosecond)), one(f(time.Hour))},
			bad:  map[string][]hub.Option{name + ": 0s": one(f(0)), name + ": -1s": one(f(-time.Second))},
		}
	}
	// counts are the options that take a number, which has to be positive.
	counts := func(f func(int) hub.Option, name string) optionCase {
		return optionCase{
			good: [][]hub.Option{one(f(1)), one(f(1e9))},
			bad:  map[string][]hub.Option{name + ": 0": one(f(0)), name + ": -1": one(f(-1))},
		}
	}
	return map[string]optionCase{
		"WithBroker": {
			good: [][]hub.Option{one(hub.WithBroker(mem())), one(hub.WithBroker(bare{mem()}), hub.WithRooms("a"))},
			bad: map[string][]hub.Option{
				"WithBroker: nil":    one(hub.WithBroker(nil)),
				"has no history":     one(hub.WithBroker(bare{mem()}), hub.WithRooms("a", hub.DefaultHistory())),
				"broker has no pres": one(hub.WithBroker(bare{mem()}), hub.WithRooms("a", hub.Presence())),
			},
		},
		"WithNode": {
			good: [][]hub.Option{one(hub.WithNode("eu-1"))},
			bad: map[string][]hub.Option{
				`WithNode ""`:      one(hub.WithNode("")),
				`WithNode "a\nb"`:  one(hub.WithNode("a\nb")),
				"at most 255 are ": one(hub.WithNode(strings.Repeat("n", 256))),
			},
		},
		"WithLogger": {
			good: [][]hub.Option{one(hub.WithLogger(slog.New(slog.DiscardHandler)))},
			bad:  map[string][]hub.Option{"WithLogger: nil": one(hub.WithLogger(nil))},
		},
		"WithTracer": {
			good: [][]hub.Option{one(hub.WithTracer(unsampled{}))},
			bad:  map[string][]hub.Option{"WithTracer: the Tracer is nil": one(hub.WithTracer(nil))},
		},
		"WithHeartbeat": {
			good: [][]hub.Option{
				one(hub.WithHeartbeat(heartbeat.Policy{Interval: time.Minute, Timeout: time.Second})),
				one(hub.WithHeartbeat(heartbeat.Disabled())),
			},
			bad: map[string][]hub.Option{"interval is 0s": one(hub.WithHeartbeat(heartbeat.Policy{}))},
		},
		"WithWorkerPool": {
			good: [][]hub.Option{one(hub.WithWorkerPool(pool))},
			bad:  map[string][]hub.Option{"WithWorkerPool: nil": one(hub.WithWorkerPool(nil))},
		},
		"WithAuthenticator": {
			good: [][]hub.Option{one(hub.WithAuthenticator(auth))},
			bad: map[string][]hub.Option{
				"WithAuthenticator: nil":         one(hub.WithAuthenticator(nil)),
				"WithAuthenticator: given twice": one(hub.WithAuthenticator(auth), hub.WithAuthenticator(auth)),
			},
		},
		"WithTokenVerifier": {
			good: [][]hub.Option{one(hub.WithTokenVerifier(verify)), one(hub.WithTokenVerifier(verify), hub.WithAuthenticator(auth))},
			bad: map[string][]hub.Option{
				"WithTokenVerifier: nil":         one(hub.WithTokenVerifier(nil)),
				"WithTokenVerifier: given twice": one(hub.WithTokenVerifier(verify), hub.WithTokenVerifier(verify)),
				"WithTokenVerifier needs the h":  one(hub.WithTokenVerifier(verify), hub.WithRaw()),
			},
		},
		"WithOrigins": {
			good: [][]hub.Option{one(hub.WithOrigins("example.com", "*.example.com:8443")), one(hub.WithOrigins("*"))},
			bad: map[string][]hub.Option{
				"WithOrigins: no origin": one(hub.WithOrigins()),
				`"https://example.com/"`: one(hub.WithOrigins("https://example.com/")),
				"exclude each other":     one(hub.WithOrigins("a"), hub.WithOriginCheck(anyOrigin)),
				`origin "example.com/a"`: one(hub.WithOrigins("example.com/a")),
			},
		},
		"WithOriginCheck": {
			good: [][]hub.Option{one(hub.WithOriginCheck(anyOrigin))},
			bad: map[string][]hub.Option{
				"WithOriginCheck: nil":         one(hub.WithOriginCheck(nil)),
				"WithOriginCheck: given twice": one(hub.WithOriginCheck(anyOrigin), hub.WithOriginCheck(anyOrigin)),
			},
		},
		"WithAffinity": {
			good: [][]hub.Option{
				one(hub.WithAffinity(hub.Affinity{})),
				one(hub.WithAffinity(hub.Affinity{}), hub.WithNode("eu-1.example.com:8080")),
				one(hub.WithAffinity(hub.Affinity{
					Cookie: "__Host-node", MaxAge: time.Hour, SameSite: http.SameSiteNoneMode, Secure: true, Header: "Node",
				})),
				one(hub.WithAffinity(hub.Affinity{Path: "/ws", SameSite: http.SameSiteStrictMode})),
			},
			bad: map[string][]hub.Option{
				`"a b" is not a valid cookie n`:   one(hub.WithAffinity(hub.Affinity{Cookie: "a b"})),
				`"a=b" is not a valid cookie n`:   one(hub.WithAffinity(hub.Affinity{Cookie: "a=b"})),
				`"X:" is not a valid header n`:    one(hub.WithAffinity(hub.Affinity{Header: "X:"})),
				`"Größe" is not a valid header n`: one(hub.WithAffinity(hub.Affinity{Header: "Größe"})),
				"set-cookie is reserved":          one(hub.WithAffinity(hub.Affinity{Header: "set-cookie"})),
				"Sec-WebSocket-Accept is re":      one(hub.WithAffinity(hub.Affinity{Header: "Sec-WebSocket-Accept"})),
				`"ws" is not a v`:                 one(hub.WithAffinity(hub.Affinity{Path: "ws"})),
				`"/a;b" is not a v`:               one(hub.WithAffinity(hub.Affinity{Path: "/a;b"})),
				"MaxAge -1s":                      one(hub.WithAffinity(hub.Affinity{MaxAge: -time.Second})),
				"MaxAge 1.5s":                     one(hub.WithAffinity(hub.Affinity{MaxAge: 1500 * time.Millisecond})),
				"unknown SameSite 9":              one(hub.WithAffinity(hub.Affinity{SameSite: 9})),
				"None without Secure":             one(hub.WithAffinity(hub.Affinity{SameSite: http.SameSiteNoneMode})),
				"__Secure-n without":              one(hub.WithAffinity(hub.Affinity{Cookie: "__Secure-n"})),
				"__Host-n needs":                  one(hub.WithAffinity(hub.Affinity{Cookie: "__Host-n", Secure: true, Path: "/ws"})),
				`node's name "a b"`:               one(hub.WithAffinity(hub.Affinity{}), hub.WithNode("a b")),
				`node's name "a;b"`:               one(hub.WithNode("a;b"), hub.WithAffinity(hub.Affinity{})),
				`node's name "é"`:                 one(hub.WithNode("é"), hub.WithAffinity(hub.Affinity{})),
			},
		},
		"WithRooms": {
			good: [][]hub.Option{
				one(hub.WithRooms("a:*", hub.History(1, time.Second), hub.Presence()), hub.WithRooms("*")),
				one(hub.WithRooms("a"), hub.WithRaw()),
			},
			bad: map[string][]hub.Option{
				"pattern is empty":         one(hub.WithRooms("")),
				`"a": option 0 is nil`:     one(hub.WithRooms("a", nil)),
				"history of 0 messages":    one(hub.WithRooms("a", hub.History(0, time.Second))),
				"history of 0 bytes":       one(hub.WithRooms("a", hub.DefaultHistory(), hub.HistoryBytes(0))),
				"without History":          one(hub.WithRooms("a", hub.HistoryBytes(1))),
				"1 messages and -1s":       one(hub.WithRooms("a", hub.History(1, -time.Second))),
				"two rules":                one(hub.WithRooms("a"), hub.WithRooms("a", hub.Presence())),
				"need protocol v1":         one(hub.WithRooms("a", hub.Presence()), hub.WithRaw()),
				`rooms "b": history and p`: one(hub.WithRooms("b", hub.DefaultHistory()), hub.WithRaw()),
			},
		},
		"WithOpenRooms": {
			good: [][]hub.Option{one(hub.WithOpenRooms("*"), hub.WithOpenRooms("a", "b:*"))},
			bad: map[string][]hub.Option{
				"WithOpenRooms: no pattern":    one(hub.WithOpenRooms()),
				"WithOpenRooms: empty pattern": one(hub.WithOpenRooms("a", "")),
				"joined by the server only":    one(hub.WithOpenRooms("a"), hub.WithRaw()),
			},
		},
		"WithAddressRate": {
			good: [][]hub.Option{{hub.WithAdmission(100, 2), hub.WithAddressRate(0.5, 1)}},
			bad: map[string][]hub.Option{
				"WithAddressRate: 0 a":       {hub.WithAdmission(100, 2), hub.WithAddressRate(0, 1)},
				"with a burst of 0":          {hub.WithAdmission(100, 2), hub.WithAddressRate(1, 0)},
				"but all together have none": one(hub.WithAddressRate(1, 1)),
			},
		},
		"WithResumeKey": {
			good: [][]hub.Option{{hub.WithAdmission(100, 2), hub.WithResumeKey(make([]byte, 16), make([]byte, 32))}},
			bad: map[string][]hub.Option{
				"a key of 15 bytes":           {hub.WithAdmission(100, 2), hub.WithResumeKey(make([]byte, 15))},
				"a key of 0 bytes":            {hub.WithAdmission(100, 2), hub.WithResumeKey(make([]byte, 16), nil)},
				"WithResumeKey needs WithAdm": one(hub.WithResumeKey(make([]byte, 16))),
			},
		},
		"WithAdmission": {
			good: [][]hub.Option{one(hub.WithAdmission(0.5, 1)), one(hub.WithAdmission(1e6, 1000))},
			bad: map[string][]hub.Option{
				"WithAdmission: 0 a":     one(hub.WithAdmission(0, 1)),
				"WithAdmission: NaN":     one(hub.WithAdmission(nan(), 1)),
				"WithAdmission: -1 a se": one(hub.WithAdmission(-1, 1)),
				"WithAdmission: 2e+06":   one(hub.WithAdmission(2e6, 1)),
				"with a burst of -1":     one(hub.WithAdmission(1, -1)),
			},
		},
		"WithMaxConns": counts(hub.WithMaxConns, "WithMaxConns"),
		"WithMemoryBudget": {
			good: [][]hub.Option{one(hub.WithMemoryBudget(1))},
			bad:  map[string][]hub.Option{"WithMemoryBudget: 0 is": one(hub.WithMemoryBudget(0)), "WithMemoryBudget: -1 is": one(hub.WithMemoryBudget(-1))},
		},
		"WithMaxPerIP": counts(hub.WithMaxPerIP, "WithMaxPerIP"),
		"WithCosts": {
			good: [][]hub.Option{one(hub.WithCosts(hub.Costs{})), one(hub.WithCosts(hub.Costs{Join: 1000, History: 1e-9}))},
			bad: map[string][]hub.Option{
				"WithCosts: each":         one(hub.WithCosts(hub.Costs{Join: -1})),
				"WithCosts: each cost":    one(hub.WithCosts(hub.Costs{Presence: math.NaN()})),
				"must be 0 to 1000 messa": one(hub.WithCosts(hub.Costs{Replayed: 1001})),
				"each cost must be 0":     one(hub.WithCosts(hub.Costs{Token: -1})),
			},
		},
		"WithMaxPerUser":        perUserCase(hub.WithMaxPerUser, "WithMaxPerUser"),
		"WithMaxPerUserOverall": perUserCase(hub.WithMaxPerUserOverall, "WithMaxPerUserOverall"),
		"WithMaxHandshakes":     counts(hub.WithMaxHandshakes, "WithMaxHandshakes"),
		"WithSoftRefusals": {
			good: [][]hub.Option{one(hub.WithSoftRefusals(1))},
			bad: map[string][]hub.Option{
				"WithSoftRefusals: 0":         one(hub.WithSoftRefusals(0)),
				"not one connection is safe:": one(hub.WithSoftRefusals(1e9)),
			},
		},
		"WithTrustedProxies": {
			good: [][]hub.Option{one(hub.WithTrustedProxies("10.0.0.7", "10.1.0.0/16", "fd00::/8", "::1"))},
			bad: map[string][]hub.Option{
				"WithTrustedProxies: no proxy": one(hub.WithTrustedProxies()),
				`"proxy.local" is neither`:     one(hub.WithTrustedProxies("10.0.0.7", "proxy.local")),
				`"10.0.0.0/33" is neither`:     one(hub.WithTrustedProxies("10.0.0.0/33")),
				"everybody is in it":           one(hub.WithTrustedProxies("0.0.0.0/0")),
				"write it as IPv4":             one(hub.WithTrustedProxies("::ffff:10.0.0.7")),
			},
		},
		"WithPreflight": {
			good: [][]hub.Option{one(hub.WithPreflight()), one(hub.WithPreflight(preflight.WithReserve(10), preflight.WithTarget(10)))},
			bad: map[string][]hub.Option{
				"option 0 is nil":      one(hub.WithPreflight(nil)),
				"reserve is -1":        one(hub.WithPreflight(preflight.WithReserve(-1))),
				"RLIMIT_NOFILE allows": one(hub.WithPreflight(preflight.WithDescriptorLimit(64, 64))),
				"exclude each other":   one(hub.WithPreflight(preflight.WithReserve(10)), hub.WithoutPreflight()),
			},
		},
		// FastPathRawSyscalls would stay off for all tests after it: see TestFastPaths.
		"WithoutFastPaths": {
			good: [][]hub.Option{one(hub.WithoutFastPaths(hub.FastPathUring, hub.FastPathPoller))},
			bad: map[string][]hub.Option{
				"no path given":   one(hub.WithoutFastPaths()),
				"unknown path 99": one(hub.WithoutFastPaths(99)),
			},
		},
		"WithoutPreflight": {good: [][]hub.Option{one(hub.WithoutPreflight()), one(hub.WithoutPreflight(), hub.WithMaxConns(1e9))}},
		"WithRaw": {
			good: [][]hub.Option{one(hub.WithRaw())},
			bad:  map[string][]hub.Option{"a raw hub does not have": one(hub.WithRaw(), hub.WithTokenVerifier(verify))},
		},
		"WithSubprotocols": {
			good: [][]hub.Option{one(hub.WithSubprotocols("a", "b"), hub.WithRaw())},
			bad: map[string][]hub.Option{
				"WithSubprotocols: no name": one(hub.WithSubprotocols(), hub.WithRaw()),
				"is for raw hubs":           one(hub.WithSubprotocols("a")),
			},
		},
		"WithOutage": {
			good: [][]hub.Option{one(hub.WithOutage(hub.OutageRefuse)), one(hub.WithOutage(hub.OutageDegrade))},
			bad: map[string][]hub.Option{
				"unknown policy 2":  one(hub.WithOutage(2)),
				"unknown policy -1": one(hub.WithOutage(-1)),
			},
		},
		"WithMaxMessage": {
			good: [][]hub.Option{one(hub.WithMaxMessage(1)), one(hub.WithMaxMessage(1 << 20))},
			bad: map[string][]hub.Option{
				"WithMaxMessage: 0":   one(hub.WithMaxMessage(0)),
				"WithMaxMessage: -1":  one(hub.WithMaxMessage(-1)),
				"exceeds the backlog": one(hub.WithMaxMessage(1<<20 + 1)),
			},
		},
		"WithMaxRooms": {
			good: [][]hub.Option{one(hub.WithMaxRooms(1))},
			bad: map[string][]hub.Option{
				"WithMaxRooms: 0":  one(hub.WithMaxRooms(0)),
				"WithMaxRooms: -5": one(hub.WithMaxRooms(-5)),
			},
		},
		"WithBacklog": {
			good: [][]hub.Option{one(hub.WithBacklog(1, 64<<10))},
			bad: map[string][]hub.Option{
				"messages: 0 is":      one(hub.WithBacklog(0, 1<<20)),
				"bytes: -1 is":        one(hub.WithBacklog(1, -1)),
				"exceeds the backlog": one(hub.WithBacklog(1, 64<<10-1)),
			},
		},
		"WithRateLimit": {
			good: [][]hub.Option{one(hub.WithRateLimit(0.1, 1)), one(hub.WithRateLimit(1e6, 1000))},
			bad: map[string][]hub.Option{
				"WithRateLimit: 0 a":     one(hub.WithRateLimit(0, 1)),
				"WithRateLimit: NaN":     one(hub.WithRateLimit(nan(), 1)),
				"WithRateLimit: 1e+07":   one(hub.WithRateLimit(1e7, 1)),
				"with a burst of 0":      one(hub.WithRateLimit(1, 0)),
				"WithRateLimit: -1 a se": one(hub.WithRateLimit(-1, 1)),
				"the burst would take":   one(hub.WithRateLimit(1e-6, 1000)),
			},
		},
		"WithByteRateLimit": {
			good: [][]hub.Option{one(hub.WithByteRateLimit(1, 64<<10)), one(hub.WithByteRateLimit(math.MaxInt32, math.MaxInt32))},
			bad: map[string][]hub.Option{
				"WithByteRateLimit: 0 a":         one(hub.WithByteRateLimit(0, 1<<20)),
				"with a burst of -1":             one(hub.WithByteRateLimit(1, -1)),
				"message limit of 65536 bytes":   one(hub.WithByteRateLimit(1<<20, 64<<10-1)),
				"the burst would take more than": one(hub.WithByteRateLimit(1, math.MaxInt32)),
			},
		},
		"WithMaxAge": {
			good: [][]hub.Option{one(hub.WithMaxAge(time.Millisecond)), one(hub.WithMaxAge(24 * 24 * time.Hour))},
			bad: map[string][]hub.Option{
				"WithMaxAge: 0s":       one(hub.WithMaxAge(0)),
				"WithMaxAge: 577h0m0s": one(hub.WithMaxAge(577 * time.Hour)),
			},
		},
		"WithMaxIdle": {
			good: [][]hub.Option{one(hub.WithMaxIdle(time.Minute), hub.WithMaxAge(time.Hour))},
			bad:  map[string][]hub.Option{"WithMaxIdle: -1s": one(hub.WithMaxIdle(-time.Second))},
		},
		"WithMaxAgePace": {
			good: [][]hub.Option{one(hub.WithMaxIdle(time.Minute), hub.WithMaxAgePace(1)), one(hub.WithMaxAge(time.Minute), hub.WithMaxAgePace(10_000))},
			bad: map[string][]hub.Option{
				"WithMaxAgePace: 0 is":     one(hub.WithMaxAge(time.Minute), hub.WithMaxAgePace(0)),
				"needs WithMaxAge or With": one(hub.WithMaxAgePace(1)),
			},
		},
		"WithoutRateLimit": {good: [][]hub.Option{one(hub.WithoutRateLimit())}},
		"WithRoomLinger": {
			good: [][]hub.Option{one(hub.WithRoomLinger(0)), one(hub.WithRoomLinger(time.Hour))},
			bad:  map[string][]hub.Option{"WithRoomLinger: -1ns": one(hub.WithRoomLinger(-1))},
		},
		"WithWriteTimeout":     times(hub.WithWriteTimeout, "WithWriteTimeout"),
		"WithReadTimeout":      times(hub.WithReadTimeout, "WithReadTimeout"),
		"WithHandshakeTimeout": times(hub.WithHandshakeTimeout, "WithHandshakeTimeout"),
		"WithCloseTimeout":     times(hub.WithCloseTimeout, "WithCloseTimeout"),
		"WithDrain":            times(hub.WithDrain, "WithDrain"),
		"WithCompression": {
			good: [][]hub.Option{one(hub.WithCompression(flate.BestSpeed, 1)), one(hub.WithCompression(flate.HuffmanOnly, 512))},
			bad: map[string][]hub.Option{
				"compression level 10": one(hub.WithCompression(10, 1)),
				"minSize: 0 is":        one(hub.WithCompression(1, 0)),
			},
		},
	}
}

func nan() float64 { zero := 0.0; return zero / zero }
