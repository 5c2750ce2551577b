//go:build !linux

package link

const haveEpoll = false

func newEpoll(o Options) (Links, error) { return newPortable(o), nil }
