//go:build !linux

package link

func newEpoll(Options) (Links, error, bool) { return nil, nil, false }
