// Package preflight reads the limits of the operating system and reports how many connections they allow. The report names the
// limit that binds, and the line that changes it.
//
// A realtime server meets these limits long before it runs out of CPU. Most of them show first as connections that are
// refused or dropped without a message. [Check] makes a [Report] of them:
//
//	report, err := preflight.Check(preflight.WithTarget(100_000))
//	fmt.Println(report) // one line; report.WriteText has it all
//
// The command cmd/hubdoctor prints the report. The package hub sets its bounds by it. It also has a listener that keeps an
// http.Server within the limit on descriptors.
//
// # Sources
//
// These limits bound [Report.SafeConns]. F(n) = n − in use − kept back, see [WithReserve]:
//
//	RLIMIT_NOFILE             F(soft limit): getrlimit(2)
//	fs.nr_open                F(n): the kernel refuses higher descriptors whatever the limit; proc_sys_fs(5)
//	fs.file-max               F(n), open files of the whole machine: proc_sys_fs(5)
//	fs.epoll.max_user_watches n / 2, the Go runtime and the hub watch each connection: epoll(7)
//	cgroup memory             ¾ of (limit − used) / bytes of a connection, for the tightest of the process's
//	                          cgroup and those above it: Documentation/admin-guide/cgroup-v2.rst and
//	                          cgroup-v1/memory.rst of the kernel
//	machine memory            ¾ of MemAvailable / bytes of a connection: proc_meminfo(5)
//	nf_conntrack_max          0.9·n − entries in use, if the module is loaded and tracks:
//	                          Documentation/networking/nf_conntrack-sysctl.rst
//
// In a cgroup, used is usage minus inactive_file. That is the page cache that the kernel frees first when memory is short.
//
// These limits do not bound the number of idle connections. They hurt in a burst or behind a proxy, so the report has them too
// (Documentation/networking/ip-sysctl.rst and admin-guide/sysctl/net.rst):
//
//	tcp_mem                   the last of three numbers of pages, for data queued in all sockets
//	somaxconn                 handshakes that wait to be accepted
//	ip_local_port_range       connections from one address of a proxy to one address of the hub
//
// Since Go 1.19 a Go program raises its soft RLIMIT_NOFILE when it starts, to the hard one or to one below. The soft limit in a
// report therefore differs from "ulimit -n" in the shell that started the program. The line in the report changes the
// hard limit.
//
// Linux has all of these limits. On other Unix systems only RLIMIT_NOFILE is known. On Windows none is, and the report says
// so.
//
// # Guarantees
//
// Never fails: a value that cannot be read or makes no sense is reported as [Unknown], with the reason in [Limit.Note]. It
// bounds nothing. The only error is about faulty options.
//
// Truthful: if RLIMIT_NOFILE binds, a process can open SafeConns descriptors after the check and still has
// Descriptors.Reserve left.
//
// Read only: Check changes no limit.
//
// Concurrency: several goroutines may call [Check]. It starts no goroutine. It blocks only to read a dozen small files of
// /proc and /sys, in less than 1 ms. Counting hundreds of thousands of open descriptors takes longer.
package preflight
