package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	// othersMay is how much of one processor other processes may have used in a measurement that counts.
	othersMay = 0.15
	// tick is the unit of /proc/stat, which is the same on every Linux.
	tick = 10 * time.Millisecond
)

// others tells how much of a processor everything else on the machine used, from now until the function it returns is
// called with what the processes of the measurement used themselves. Where there is no /proc/stat that is zero.
func others() func(own time.Duration) float64 {
	began, before, ownBefore := time.Now(), machineTime(), ownTime()
	return func(own time.Duration) float64 {
		all := machineTime() - before
		own += ownTime() - ownBefore
		return max(0, (all-own).Seconds()/time.Since(began).Seconds())
	}
}

// machineTime is what all processors have computed, for this machine and, where it is a virtual one, for others meanwhile.
func machineTime() (sum time.Duration) {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	var t struct{ user, nice, system, idle, iowait, irq, softirq, steal int64 }
	if _, err := fmt.Sscanf(string(line), "cpu %d %d %d %d %d %d %d %d",
		&t.user, &t.nice, &t.system, &t.idle, &t.iowait, &t.irq, &t.softirq, &t.steal); err != nil {
		return 0
	}
	return time.Duration(t.user+t.nice+t.system+t.irq+t.softirq+t.steal) * tick
}

// ownTime is what this process has computed.
func ownTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
