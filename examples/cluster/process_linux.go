package main

import "syscall"

// attributes put a process into a group of its own, so that Ctrl-C reaches this program alone and everything ends in
// order, and end it when this program dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
