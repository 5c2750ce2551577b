package load

import (
	"os"
	"strconv"
	"strings"
)

// residentBytes reads statm (proc_pid_statm(5)); 0 where there is none.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64) // malformed: 0, unknown
	return pages * int64(os.Getpagesize())
}
