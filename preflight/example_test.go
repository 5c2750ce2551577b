package preflight_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"testing/fstest"
	"time"

	"github.com/gohubkit/hubkit/preflight"
)

// with adds a machine to the options, so that the examples print the same everywhere. A program has
// no need of it.
func with(opts ...preflight.Option) []preflight.Option {
	return append(opts,
		preflight.WithDescriptorLimit(1024, 1024),
		preflight.WithFiles(fstest.MapFS{
			"proc/sys/fs/nr_open":  {Data: []byte("1048576\n")},
			"proc/sys/fs/file-max": {Data: []byte("50000\n")},
			"proc/meminfo":         {Data: []byte("MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n")},
		}),
	)
}

func ExampleCheck() {
	report, err := preflight.Check(with(preflight.WithTarget(100_000))...)
	if err != nil {
		log.Fatal(err) // about the options; never about the machine
	}
	fmt.Println(report)
	fmt.Println(report.SafeConns, report.Binding)
	// Output:
	// preflight: 950 connections are safe: RLIMIT_NOFILE is 1,024 descriptors; for 100,000 set LimitNOFILE=131072 (systemd)
	// 950 RLIMIT_NOFILE
}

func ExampleReport_Short() {
	report, err := preflight.Check(with(preflight.WithTarget(100_000))...)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range report.Short() {
		fmt.Println(l.Name, "allows", l.Allows)
		for _, f := range l.Fix {
			fmt.Printf("  %s: %s\n", f.Where, f.Line)
		}
	}
	// Output:
	// RLIMIT_NOFILE allows 950
	//   systemd: LimitNOFILE=131072
	//   limits.conf: * - nofile 131072
	//   docker: --ulimit nofile=131072:131072
	//   kubernetes: LimitNOFILE=131072
	// fs.file-max allows 49436
	//   sysctl: fs.file-max = 131072
}

// A connection over TLS, with state of the application, takes more memory.
func ExampleWithConnBytes() {
	report, err := preflight.Check(with(preflight.WithConnBytes(60_000, 10_000))...)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range report.Limits {
		if l.Name == "machine memory" {
			fmt.Println(l.Allows)
		}
	}
	// Output: 32914
}

// A server that answers its health check however many connections say nothing.
func ExampleListener() {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ln, err := preflight.NewListener(tcp)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "fine") })
	srv := &http.Server{Handler: mux, ConnState: ln.ConnState, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	res, err := http.Get("http://" + ln.Addr().String() + "/healthz")
	if err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(os.Stdout, res.Body)
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	_ = srv.Close()
	fmt.Println(<-served)
	// Output:
	// fine
	// http: Server closed
}
