//go:build faults

package main

import "testing"

// The same with a crowd.
func TestFaultRollingRestart(t *testing.T) {
	for _, proxy := range []string{"nginx-cookie", "nginx-ip_hash"} {
		t.Run(proxy, func(t *testing.T) { rollingRestart(t, proxy, 300, 4, "4s") })
	}
}
