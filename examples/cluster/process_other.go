//go:build !linux

package main

import "syscall"

// attributes are none: Ctrl-C reaches every process of the terminal at once.
func attributes() *syscall.SysProcAttr { return nil }
