package benchserver

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

// Stats is the answer of GET /stats. Sizes are bytes unless the name says otherwise, times are
// seconds since the process began.
type Stats struct {
	RSSKB      int64   `json:"rss_kb"`
	HeapInuse  uint64  `json:"heap_inuse"`
	StackInuse uint64  `json:"stack_inuse"`
	Goroutines int     `json:"goroutines"`
	CPUUser    float64 `json:"cpu_user_s"`
	CPUSys     float64 `json:"cpu_sys_s"`
	Conns      int     `json:"conns"`
	Drops      int64   `json:"drops"`
	Mallocs    uint64  `json:"mallocs"`
	TotalAlloc uint64  `json:"total_alloc"`
	NumGC      uint32  `json:"num_gc"`
}

// CPU is the processor time used so far, in seconds.
func (s Stats) CPU() float64 { return s.CPUUser + s.CPUSys }

func readStats(gc bool) (Stats, error) {
	if gc {
		// The second collection frees what finalizers and pools held through the first.
		runtime.GC()
		runtime.GC()
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	rss, err := residentKB()
	if err != nil {
		return Stats{}, err
	}
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return Stats{}, fmt.Errorf("getrusage: %w", err)
	}
	return Stats{
		RSSKB:      rss,
		HeapInuse:  m.HeapInuse,
		StackInuse: m.StackInuse,
		Goroutines: runtime.NumGoroutine(),
		CPUUser:    time.Duration(ru.Utime.Nano()).Seconds(),
		CPUSys:     time.Duration(ru.Stime.Nano()).Seconds(),
		Mallocs:    m.Mallocs,
		TotalAlloc: m.TotalAlloc,
		NumGC:      m.NumGC,
	}, nil
}

// residentKB reads the second field of /proc/self/statm, proc_pid_statm(5): resident pages.
func residentKB() (int64, error) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	f := bytes.Fields(data)
	if len(f) < 2 {
		return 0, fmt.Errorf("statm: %q", data)
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("statm: %w", err)
	}
	return pages * int64(os.Getpagesize()) / 1024, nil
}
