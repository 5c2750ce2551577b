package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/memory"
	"github.com/gohubkit/hubkit/broker/redis"
)

// openBroker returns the broker, and a function to call after the hub is closed.
func openBroker(conf config) (b broker.Broker, save func() error, err error) {
	if conf.redis != "" {
		// Redis keeps everything; nothing is left to save.
		b, err = redis.New(strings.Split(conf.redis, ","))
		return b, func() error { return nil }, err
	}
	path, err := statePath(conf)
	if err != nil {
		slog.Warn("the history will not outlive this process", "err", err)
	}
	if path == "" {
		b, err = memory.New()
		return b, func() error { return nil }, err
	}
	return openMemory(path)
}

// openMemory restores the history that the last process saved.
//
//nolint:gosec // The operator names the file.
func openMemory(path string) (broker.Broker, func() error, error) {
	b, err := memory.New()
	if err != nil {
		return nil, nil, err
	}
	switch err := restore(b, path); {
	case errors.Is(err, memory.ErrSnapshot):
		bad := path + ".corrupt"
		slog.Error("starting with an empty history", "err", err, "moved_to", bad)
		if err := os.Rename(path, bad); err != nil {
			return nil, nil, err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("restore the history: %w", err)
	}
	save := func() error {
		// The hub has closed the broker, unless there never was one.
		if err := b.Close(context.Background()); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return snapshot(b, path)
	}
	return b, save, nil
}
