//go:build unix && !linux

package netpoll

const hungUp = 0
