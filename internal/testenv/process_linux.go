package testenv

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes put the process into a group of its own and tie its life to ours.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit waits for the end of a child and leaves it to be reaped: until then its ID, and with it the ID
// of its group, cannot go to another.
func awaitExit(pid int) { await(pid, unix.WEXITED) }

// awaitSignal waits until a child that SIGSTOP was sent to has stopped: on a busy machine its threads go on for a while.
func awaitSignal(pid int, sig os.Signal) {
	if sig == syscall.SIGSTOP {
		await(pid, unix.WEXITED|unix.WSTOPPED)
	}
}

func await(pid, what int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, what|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// killGroup kills what an ended child has left running.
func killGroup(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL) // an error means that nothing is left
}

// terminate asks the process to end, and wakes it up to hear that.
func terminate(p *os.Process) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Signal(syscall.SIGCONT)
}
