package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kilobytes reads the lines "Name: number kB" of a file of /proc, in bytes.
func kilobytes(file string) (map[string]int64, error) {
	data, err := os.ReadFile(file) //nolint:gosec // a file of /proc
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64)
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		name, rest, ok := strings.Cut(s.Text(), ":")
		f := strings.Fields(rest)
		if !ok || len(f) != 2 || f[1] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, name, err)
		}
		out[name] = n << 10
	}
	return out, nil
}

// kernelSettings are those that the cost of a packet depends on: two million sockets in a hash table made for a quarter of them are
// long chains, some ways of congestion control set a timer for each packet, and a process that is woken goes before the one that
// sent to it, packet by packet, unless the scheduling policy is SCHED_BATCH.
func kernelSettings() (all []string) {
	for _, name := range []string{"tcp_ehash_entries", "tcp_congestion_control"} {
		if v, err := os.ReadFile("/proc/sys/net/ipv4/" + name); err == nil {
			all = append(all, name+"="+strings.TrimSpace(string(v)))
		}
	}
	if a, err := unix.SchedGetAttr(0, 0); err == nil {
		policy, ok := map[uint32]string{unix.SCHED_NORMAL: "normal", unix.SCHED_BATCH: "batch"}[a.Policy]
		if !ok {
			policy = strconv.Itoa(int(a.Policy))
		}
		all = append(all, "scheduling policy "+policy)
	}
	return all
}

// Memory is what the machine and the parts have in use at one time, in bytes.
type Memory struct {
	// Available is what could still be had: MemAvailable of proc_meminfo(5).
	Available int64 `json:"available"`
	// Slab is the kernel's own objects, sockets among them; PageTables are the processes'.
	Slab       int64 `json:"slab"`
	PageTables int64 `json:"page_tables"`
	// Sockets is TCP's own count of sockets in use, and Buffered what lies in their queues: /proc/net/sockstat.
	Sockets  int64 `json:"tcp_sockets"`
	Buffered int64 `json:"tcp_buffered"`
	// Hubs, Loads and Redis are resident: the proportional set size of their processes.
	Hubs  int64 `json:"hubs"`
	Loads int64 `json:"loads"`
	Redis int64 `json:"redis"`
}

// resident is the proportional set size of processes: what they share is counted once.
func resident(parts ...*part) (sum int64, err error) {
	for _, p := range parts {
		m, err := kilobytes(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
		if err != nil {
			return 0, err
		}
		sum += m["Pss"]
	}
	return sum, nil
}

// available is what of the machine's memory could still be had.
func available() (int64, error) {
	m, err := kilobytes("/proc/meminfo")
	return m["MemAvailable"], err
}

// memory looks at the machine and the parts.
func (t *trial) memory() (m Memory, err error) {
	info, err := kilobytes("/proc/meminfo")
	if err != nil {
		return m, err
	}
	m.Available, m.Slab, m.PageTables = info["MemAvailable"], info["Slab"], info["PageTables"]
	if m.Sockets, m.Buffered, err = sockets(); err != nil {
		return m, err
	}
	for _, x := range []struct {
		parts []*part
		sum   *int64
	}{{t.nodes, &m.Hubs}, {t.crowds, &m.Loads}, {t.redis, &m.Redis}} {
		if *x.sum, err = resident(x.parts...); err != nil {
			return m, err
		}
	}
	return m, nil
}

// sockets reads how many TCP sockets there are and the bytes in their queues.
func sockets() (n, buffered int64, err error) {
	data, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		var orphan, tw, pages int64
		if _, err := fmt.Sscanf(line, "TCP: inuse %d orphan %d tw %d alloc %d mem %d", &n, &orphan, &tw, new(int64), &pages); err == nil {
			return n, pages * int64(os.Getpagesize()), nil
		}
	}
	return 0, 0, fmt.Errorf("no TCP in %q", data)
}

// CPU is processor time, in seconds.
type CPU struct {
	Hubs  float64 `json:"hubs"`
	Loads float64 `json:"loads"`
	Redis float64 `json:"redis"`
}

func (c CPU) minus(o CPU) CPU { return CPU{c.Hubs - o.Hubs, c.Loads - o.Loads, c.Redis - o.Redis} }

func (c CPU) sum() float64 { return c.Hubs + c.Loads + c.Redis }

// cpu is the time all parts have used so far. The kernel's work for loopback is done, and counted, where a process
// writes. A part that was killed counts as it did before.
func (t *trial) cpu() (c CPU) {
	for _, x := range []struct {
		parts []*part
		sum   *float64
	}{{t.nodes, &c.Hubs}, {t.crowds, &c.Loads}, {t.redis, &c.Redis}} {
		for _, p := range x.parts {
			*x.sum += spent(p.cmd.Process.Pid).Seconds()
		}
	}
	c.Hubs += t.killedCPU.Seconds()
	return c
}

// spent is the user and system time of a process, with all its threads; zero for one that is gone.
func spent(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may contain anything: proc_pid_stat(5). State is field 3; utime and stime are 14
	// and 15, in ticks of USER_HZ, which is 100 on every architecture Go runs on.
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * (time.Second / 100)
}
