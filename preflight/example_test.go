package preflight_test

import (
	"fmt"
	"io/fs"
	"log"
	"testing/fstest"

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
	// preflight: 950 connections are safe if idle, 12,000 bytes each: RLIMIT_NOFILE is 1,024 descriptors; for 100,000 set LimitNOFILE=131072 (systemd)
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

// A container has a file system of its own. To check the machine that it runs on, mount that one's root and read it there.
func ExampleWithFiles() {
	var host fs.FS = fstest.MapFS{ // os.DirFS("/host"), where the root of the host is mounted
		"proc/sys/fs/nr_open":  {Data: []byte("1048576\n")},
		"proc/sys/fs/file-max": {Data: []byte("20000\n")},
	}
	report, err := preflight.Check(preflight.WithFiles(host), preflight.WithDescriptorLimit(1<<20, 1<<20))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.SafeConns, report.Binding)
	// Output: 19736 fs.file-max
}

// Before the limit of a unit is changed: what would it allow?
func ExampleWithDescriptorLimit() {
	for _, planned := range []uint64{1024, 65_536} {
		report, err := preflight.Check(append(with(), preflight.WithDescriptorLimit(planned, planned))...)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(planned, "descriptors:", report.SafeConns, report.Binding)
	}
	// Output:
	// 1024 descriptors: 950 RLIMIT_NOFILE
	// 65536 descriptors: 49436 fs.file-max
}
