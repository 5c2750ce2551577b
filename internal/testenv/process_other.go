//go:build !linux

package testenv

import (
	"os"
	"syscall"
)

// The tests that start processes are run on Linux; elsewhere they need only compile.

func attributes() *syscall.SysProcAttr { return nil }

func awaitExit(int) {}

func awaitSignal(int, os.Signal) {}

func killGroup(int) {}

func terminate(p *os.Process) error { return p.Kill() }
