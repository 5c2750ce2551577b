// Package result is what the load client prints for one run and the driver reads.
package result

// Result is one run of one test against one server. What a test has no figure for is zero. A unit is
// a delivery, an echo, a handshake or, for churn, a connection that came and went.
type Result struct {
	Peer  string `json:"peer,omitempty"`
	Test  string `json:"test"`
	Round int    `json:"round,omitempty"`
	Conns int    `json:"conns"`

	// Expected and Received count units; where they differ the server lost some.
	Expected int64 `json:"expected,omitempty"`
	Received int64 `json:"received,omitempty"`
	// Drops is how many the server says it gave up.
	Drops int64 `json:"drops,omitempty"`
	// Disconnected is how many connections the server ended during the test.
	Disconnected int64 `json:"disconnected,omitempty"`
	// Seconds is the time all units took, as the client saw it.
	Seconds   float64 `json:"seconds,omitempty"`
	PerSecond float64 `json:"per_second,omitempty"`
	// Whole is how many seconds the whole run took, with its processes started and ended.
	Whole float64 `json:"whole_s,omitempty"`

	// CPUPerMillion is the server's CPU time, user and system, in seconds per million units received,
	// which is also microseconds per unit. ClientCPU is the load client's, in the same measure.
	CPUPerMillion float64 `json:"cpu_s_per_million,omitempty"`
	ClientCPU     float64 `json:"client_cpu_s_per_million,omitempty"`
	// Where one node publishes to another through Redis CPUPerMillion is the receiver's; these are
	// the publisher's and that of Redis's main thread.
	PublisherCPU float64 `json:"publisher_cpu_s_per_million,omitempty"`
	RedisCPU     float64 `json:"redis_cpu_s_per_million,omitempty"`
	// MallocsPerUnit is the server's heap allocations.
	MallocsPerUnit float64 `json:"mallocs_per_unit,omitempty"`

	// Latencies from Publish, or from the sending of an echo, to the client, in milliseconds.
	P50ms float64 `json:"p50_ms,omitempty"`
	P99ms float64 `json:"p99_ms,omitempty"`
	MaxMs float64 `json:"max_ms,omitempty"`

	// RSSPerConnKB and HeapPerConnKB are what each connection added to the server, in KiB.
	RSSPerConnKB  float64 `json:"rss_per_conn_kb,omitempty"`
	HeapPerConnKB float64 `json:"heap_per_conn_kb,omitempty"`
	// Goroutines the server has with the connections open; for churn, after the last is gone.
	Goroutines int `json:"goroutines,omitempty"`
	// ConnsLeft is what the server still counts after churn; all of them should be gone.
	ConnsLeft int `json:"conns_left,omitempty"`
}
