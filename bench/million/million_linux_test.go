package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program builds the command.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "million")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// children lists the processes that were started by one.
func children(t *testing.T, pid int) (pids []string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tasks {
		data, _ := os.ReadFile(file)
		pids = append(pids, strings.Fields(string(data))...)
	}
	return pids
}

// awaitGone waits until processes have ended; one that nobody has waited for yet has.
func awaitGone(t *testing.T, pids []string) {
	t.Helper()
	for _, pid := range pids {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			data, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil || strings.Contains(string(data), ") Z ") {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("process %s is still there: %s", pid, data)
				break
			}
		}
	}
}

// rehearse runs the program to its end, and returns what it has found, and the page that it has written.
func rehearse(t *testing.T, args ...string) (r Report, page string) {
	t.Helper()
	page = filepath.Join(t.TempDir(), "report.md")
	cmd := exec.CommandContext(t.Context(), program(t), append(args, "-o", page)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(strings.TrimSuffix(page, ".md") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r, page
}

// The whole trial, at a size for a test: it fails by itself where something is lost.
func TestRehearsal(t *testing.T) {
	r, page := rehearse(t, "-conns", "1500", "-for", "2s", "-heartbeat", "3s")
	if len(r.Fanouts) != 3 || r.Fanouts[2].Received != 1500 || r.Asked.Pings < 3*1500 || r.Small.Received != r.Small.Expected || r.Small.Expected == 0 ||
		r.Beats.Sent+r.Beats.Pings < 3*1500 || r.Beats.Sent < r.Beats.Pings || r.Kill.Back != r.Kill.Lost || r.Kill.Lost == 0 || r.Kill.Stream.Expected == 0 {
		t.Errorf("%+v", r)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# 1,500 connections", "| hubs |", "| node killed |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// The same with event streams.
func TestStreams(t *testing.T) {
	r, _ := rehearse(t, "-sse", "-conns", "600", "-for", "1s", "-heartbeat", "2s")
	if len(r.Fanouts) != 1 || r.Fanouts[0].Received != 600 || r.Small.Received != r.Small.Expected || r.Small.Expected == 0 || r.Beats.Pings < 3*600 {
		t.Errorf("%+v", r)
	}
}

// Whatever ends the program, everything it has started ends with it.
func TestLeavesNothingBehind(t *testing.T) {
	file := program(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			tmp := t.TempDir()
			cmd := exec.CommandContext(t.Context(), file, "-conns", "300")
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
			var said lockedBuffer
			cmd.Stderr = &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(30 * time.Second); !strings.Contains(said.String(), "all connected"); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("it does not get to it: %s", said.String())
				}
			}
			parts := children(t, cmd.Process.Pid)
			if len(parts) < 6 { // Redis, three hubs, two load processes
				t.Errorf("only %d processes: %v", len(parts), parts)
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it ends as if nothing had happened")
			}
			awaitGone(t, parts)
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestRefusesWhatCannotBe(t *testing.T) {
	file := program(t)
	for _, args := range [][]string{{"-conns", "10"}, {"-conns", "2000000000"}, {"-heartbeat", "1s"}, {"-rooms", "-1"}, {"nonsense"}, {"-acts", "nonsense"}} {
		out, err := exec.CommandContext(t.Context(), file, args...).CombinedOutput()
		if err == nil || !bytes.HasPrefix(out, []byte("million: ")) {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}
