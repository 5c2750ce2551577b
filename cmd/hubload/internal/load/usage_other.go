//go:build !unix

package load

func openFiles() int64 { return 0 }

func fileLimit() int64 { return 0 }

func cpuSeconds() float64 { return 0 }
