package testenv

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// childMode names the environment variable that turns the test binary into a program under test.
const childMode = "TESTENV_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		child(mode)
		return
	}
	Main(m)
}

// child is the programs that the tests start.
func child(mode string) {
	switch mode {
	case "echo": // repeats its input until that ends
		fmt.Println("starting")
		fmt.Println("ready to echo")
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
			fmt.Println("echo " + s.Text())
		}
	case "stderr": // is ready on standard error
		fmt.Fprintln(os.Stderr, "ready")
		block()
	case "silent":
		block()
	case "crash":
		fmt.Print("cannot bind") // without a newline: the last words count
		os.Exit(3)
	case "deaf": // does not end when asked to
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		block()
	case "parent": // leaves a process of its own behind
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childMode+"=silent")
		if err := c.Start(); err != nil {
			panic(err)
		}
		fmt.Println("ready", c.Process.Pid)
		block()
	case "tester": // a test binary that is killed while it has a process
		p, err := start(program("silent"))
		if err != nil {
			panic(err)
		}
		fmt.Println("ready", p.PID())
		block()
	default:
		panic("unknown mode " + mode)
	}
}

// block is a long sleep: with an empty select the runtime would report a deadlock.
func block() { time.Sleep(time.Hour) }

// program is the test binary as one of the programs of child.
func program(mode string) Command {
	return Command{Path: os.Args[0], Env: []string{childMode + "=" + mode}}
}
