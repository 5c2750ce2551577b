// Package preflight reads the limits of the operating system and says how many connections they
// allow, which of them binds, and the line that changes it.
//
// A realtime server meets these limits long before it runs out of CPU, and most of them show first
// as connections that are refused or dropped without a word. [Check] makes a [Report] of them:
//
//	report, err := preflight.Check(preflight.WithTarget(100_000))
//	fmt.Println(report) // one line; report.WriteText has it all
//
// The command cmd/hubdoctor prints the report. The package hub bounds itself by it, and has a listener
// that keeps an http.Server within the limit on descriptors.
//
// # What is read
//
// These bound [Report.SafeConns]; F(n) = n − in use − kept back, see [WithReserve]:
//
//	RLIMIT_NOFILE             F(soft limit): getrlimit(2)
//	fs.nr_open                F(n): the kernel refuses higher descriptors whatever the limit; proc_sys_fs(5)
//	fs.file-max               F(n), open files of the whole machine: proc_sys_fs(5)
//	fs.epoll.max_user_watches n / 2, the Go runtime and the hub watch each connection: epoll(7)
//	cgroup memory             ¾ of (limit − used) / bytes of a connection, for the tightest of the process's
//	                          cgroup and those above it: Documentation/admin-guide/cgroup-v2.rst and
//	                          cgroup-v1/memory.rst of the kernel
//	machine memory            ¾ of MemAvailable / bytes of a connection: proc_meminfo(5)
//	nf_conntrack_max          0.9·n − entries in use, where the module is loaded and tracks:
//	                          Documentation/networking/nf_conntrack-sysctl.rst
//
// In a cgroup, used is usage less inactive_file, the page cache that goes first when memory is short.
//
// These bound no number of idle connections, but hurt in a burst or behind a proxy, and are reported
// for that (Documentation/networking/ip-sysctl.rst and admin-guide/sysctl/net.rst):
//
//	tcp_mem                   the last of three numbers of pages, for data queued in all sockets
//	somaxconn                 handshakes that wait to be accepted
//	ip_local_port_range       connections from one address of a proxy to one address of the hub
//
// A Go program raises its soft RLIMIT_NOFILE to the hard one, or to one below, when it starts (since Go
// 1.19). The soft limit in a report is therefore not what "ulimit -n" shows in the shell that started
// the program, and it is the hard limit that a line has to change.
//
// All of this is known on Linux. On other Unix systems RLIMIT_NOFILE is; on Windows nothing is, and
// the report says so.
//
// # Guarantees
//
// Never fails: what cannot be read or makes no sense is reported as [Unknown], with the reason in
// [Limit.Note], and bounds nothing. The only error is about faulty options.
//
// Truthful: a process can open SafeConns descriptors after the check and have [Descriptors.Reserve] left, if
// RLIMIT_NOFILE binds.
//
// Read only: no limit is changed.
//
// Concurrency: Check may be called by several goroutines, starts none, and blocks only to read a dozen
// small files of /proc and /sys, below a millisecond in all. Counting the open descriptors of a process adds to
// that when there are hundreds of thousands of them.
package preflight
