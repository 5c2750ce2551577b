package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gohubkit/hubkit/broker/memory"
)

// statePath returns the path of the file with the history, or "" if there is none.
func statePath(conf config) (string, error) {
	switch conf.state {
	case "-":
		return "", nil
	case "":
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		name := strings.NewReplacer(":", "_", "/", "_", `\`, "_").Replace(conf.addr)
		return filepath.Join(dir, "hubkit-chat", name+".snapshot"), nil
	}
	return conf.state, nil
}

// restore reads a snapshot and removes it. A snapshot must not be read twice: after a crash, offsets that were
// given since would be given again, to other messages. Without the file the history is lost after a crash, and
// clients are told of a gap.
//
//nolint:gosec // The operator names the file.
func restore(b *memory.Broker, path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = b.Restore(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// snapshot writes the whole file or none.
//
//nolint:gosec // The operator names the file.
func snapshot(b *memory.Broker, path string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	err = errors.Join(b.Snapshot(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("save the history: %w", err), os.Remove(f.Name()))
	}
	return nil
}
