package redis

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gohubkit/hubkit/internal/resp"
)

func TestConditions(t *testing.T) {
	for text, want := range map[string]condition{
		"ERR unknown command":                     sound,
		"WRONGTYPE Operation against a key":       sound,
		"NOSCRIPT No matching script":             sound,
		"MOVED 1 127.0.0.1:1":                     elsewhere,
		"TRYAGAIN Multiple keys":                  elsewhere,
		"READONLY You can't write":                replica,
		"LOADING Redis is loading":                starting,
		"MASTERDOWN Link with MASTER is down":     starting,
		"BUSY Redis is busy":                      starting,
		"NOAUTH Authentication required.":         locked,
		"WRONGPASS invalid username-password":     locked,
		"NOPERM No permissions to access a key":   denied,
		"OOM command not allowed":                 full,
		"MISCONF Redis is configured to save RDB": full,
		"NOREPLICAS Not enough good replicas":     full,
		"ERR Error running script (call to f_a): @user_script:1: @user_script: 1: -READONLY You can't write":                                  replica,
		"ERR Error running script (call to f_a): @user_script:1: @user_script: 1: -OOM command not allowed":                                   full,
		"ERR ACL failure in script: User app has no permissions to run the 'get' command":                                                     denied,
		"ERR Error running script: @user_script: 1: The user executing the script can't run this command or subcommand":                       denied,
		"ERR Error running script (call to f_a): @user_script:1: @user_script: 1: Wrong number of args calling Redis command From Lua script": sound,
	} {
		if got := conditionOf(fmt.Errorf("wrapped: %w", resp.Error(text))); got != want {
			t.Errorf("%s: condition %d, want %d", text, got, want)
		}
	}
	for _, err := range []error{nil, io.EOF, errSilent} {
		if got := conditionOf(err); got != sound {
			t.Errorf("%v: condition %d, want none", err, got)
		}
	}
	if got := conditionOf(fmt.Errorf("wrapped: %w", errReplica)); got != replica {
		t.Errorf("errReplica: condition %d", got)
	}
}

// A connection that fails for one reason again and again, though the server answers, is tried ever less often, and the log says
// so without being filled. One whose server is gone, or no primary yet, is tried as often as ever.
func TestLoop(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    func(i int) error
		slow   bool
		logged int // in ten minutes
	}{
		{"no permission", func(int) error { return resp.Error("NOPERM this user") }, true, 12},
		{"wrong password", func(int) error { return resp.Error("WRONGPASS invalid") }, true, 12},
		{"too many clients", func(int) error { return resp.Error("ERR max number of clients reached") }, true, 12},
		{"gone", func(int) error { return fmt.Errorf("dial: %w", syscall.ECONNREFUSED) }, false, 11},
		{"replica", func(int) error { return errReplica }, false, 11},
		{"reset from many ports", func(i int) error { return fmt.Errorf("read 127.0.0.1:%d: %w", i, syscall.ECONNRESET) }, false, 11},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				b, err := New([]string{"127.0.0.1:1"}, WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
				if err != nil {
					t.Fatal(err)
				}
				l := b.newLoop("subscribe", "127.0.0.1:1")
				begin, tries := time.Now(), 0
				for time.Since(begin) < 10*time.Minute {
					if !l.again(t.Context(), tt.err(tries)) {
						t.Fatal("it does not go on")
					}
					tries++
				}
				if most := 45; tt.slow != (tries <= most) {
					t.Errorf("%d tries in 10 min, want at most %d: %v", tries, most, tt.slow)
				}
				if loops := b.Stats().Loops; tt.slow != (loops > 0) {
					t.Errorf("%d loops", loops)
				}
				if n := strings.Count(out.String(), "\n"); n > tt.logged || n < 8 {
					t.Errorf("%d lines in 10 min:\n%s", n, out.String())
				}
				if tt.slow != strings.Contains(out.String(), "slowed_down_to") {
					t.Errorf("the log:\n%s", out.String())
				}
				l.back()
				l.progress()
				begin = time.Now()
				if l.again(t.Context(), tt.err(0)); time.Since(begin) > 2*time.Second {
					t.Errorf("the first failure after progress waits %v", time.Since(begin))
				}
				if !strings.Contains(out.String(), "redis connection is back") {
					t.Error("the log does not say that the connection is back")
				}
			})
		})
	}
}

func TestReasons(t *testing.T) {
	a := fmt.Errorf("dial tcp 127.0.0.1:1: %w", syscall.ECONNREFUSED)
	b := fmt.Errorf("dial tcp 127.0.0.1:2: %w", syscall.ECONNREFUSED)
	if reasonOf(a) != reasonOf(b) || reasonOf(a) == reasonOf(io.EOF) || reasonOf(io.EOF) == reasonOf(errors.New("x")) {
		t.Errorf("%s, %s, %s", reasonOf(a), reasonOf(b), reasonOf(io.EOF))
	}
}
