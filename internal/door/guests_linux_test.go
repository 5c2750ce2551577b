package door

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// withMore serves with a bound of so many descriptors more than are in use now, the clients' among them.
func withMore(t *testing.T, more int) side {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return side{"bounded", func(srv *http.Server, l net.Listener) error { return Serve(srv, l, len(open)-1+more) }}
}

// TestEvicts: who is silent makes way, the one that has been for longest first, and whoever asks is answered.
func TestEvicts(t *testing.T) {
	testenv.NoLeaks(t)
	const clients = 60
	r := withMore(t, clients+30).start(t, &http.Server{Handler: http.HandlerFunc(recorder)})
	var mute []net.Conn
	for i := range clients {
		mute = append(mute, r.say([]string{"", "GET / HTTP/1.1\r\nHo"}[i%2]))
	}
	// How many descriptors are in use is counted now and then.
	await(t, "the end of the one that has waited longest", func() bool {
		for _, head := range []string{upgrade("/"), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"} {
			c := r.say(head)
			if got, err := answer(c); err != nil || !strings.HasPrefix(got, "200") {
				t.Fatalf("%q, %v", got, err)
			}
			_ = c.Close()
		}
		_ = mute[0].SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := mute[0].Read(make([]byte, 1))
		return eof(err)
	})
}

// TestRefuses: if everybody is busy, who comes is told so, until somebody goes.
func TestRefuses(t *testing.T) {
	testenv.NoLeaks(t)
	release := make(chan struct{})
	r := withMore(t, 50).start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_ = http.NewResponseController(w).Flush()
			<-release
		}
	})})
	refused := 0
	for range 60 {
		res, err := http.ReadResponse(bufio.NewReader(r.say(upgrade("/slow"))), nil) //nolint:bodyclose // its connection is
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == http.StatusServiceUnavailable {
			body, err := io.ReadAll(res.Body)
			if string(body) != "no descriptors left\n" || err != nil || res.Header.Get("Retry-After") == "" {
				t.Errorf("%q, %v, %v", body, err, res.Header)
			}
			refused++
			break
		}
	}
	if refused == 0 {
		t.Error("nobody was refused")
	}
	close(release)
	await(t, "an answer", func() bool {
		got, err := answer(r.say(upgrade("/")))
		return err == nil && strings.HasPrefix(got, "200")
	})
}

// TestOutOfDescriptors: if the system has no more, the one that has been silent longest makes way; if nobody is silent, accepting
// goes on when there is one again.
func TestOutOfDescriptors(t *testing.T) {
	testenv.NoLeaks(t)
	r := theDoor.start(t, &http.Server{Handler: http.HandlerFunc(recorder)})
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	mute := r.dial()
	await(t, "the first", func() bool { return accepted(t, r.l.Addr()) == 1 })
	clients := make([]net.Conn, 8)
	for i := range clients {
		clients[i] = r.dial()
	}
	await(t, "the others", func() bool { return accepted(t, r.l.Addr()) == 1+len(clients) })
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	highest := uint64(0)
	for _, e := range open {
		var n uint64
		_, _ = fmt.Sscan(e.Name(), &n)
		highest = max(highest, n)
	}
	// Every number below the limit is in use, but for that of the next client's own side.
	var fill []int
	defer func() {
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
		for _, fd := range fill {
			_ = syscall.Close(fd)
		}
	}()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: highest + 2, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	for {
		fd, err := syscall.Dup(0)
		if err != nil {
			break
		}
		fill = append(fill, fd)
	}
	_ = syscall.Close(fill[0])
	fill = fill[1:]
	c := r.say(upgrade("/"))
	got, err := answer(c)
	if err != nil || !strings.HasPrefix(got, "200") {
		t.Errorf("%q, %v; %s", got, err, r.logged)
	}
	if _, err := mute.Read(make([]byte, 1)); !eof(err) {
		t.Errorf("the one that has waited longest: %v", err)
	}
}

// accepted counts the open connections that were accepted at an address. Linux shows no inode for those that still wait.
func accepted(t *testing.T, at net.Addr) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	port, established := fmt.Sprintf(":%04X", at.(*net.TCPAddr).Port), "01"
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if strings.HasSuffix(f[1], port) && f[3] == established && f[9] != "0" {
			n++
		}
	}
	return n
}

// TestSlowHeadsAreCheap: connections whose head comes byte by byte have no goroutine each, and little memory.
func TestSlowHeadsAreCheap(t *testing.T) {
	testenv.NoLeaks(t)
	r := theDoor.start(t, &http.Server{Handler: http.HandlerFunc(recorder)})
	head := upgrade("/slow", "Cookie: "+strings.Repeat("x", 60))
	const clients = 300
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i] = r.dial()
	}
	goroutines := runtime.NumGoroutine()
	for i := range head {
		if i == len(head)-1 {
			if n := runtime.NumGoroutine(); n > goroutines+5 {
				t.Errorf("%d goroutines, before there were heads %d", n, goroutines)
			}
		}
		for _, c := range conns {
			if _, err := io.WriteString(c, head[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range conns {
		if got, err := answer(c); err != nil || !strings.HasPrefix(got, "200") {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// TestManyLobbies: several goroutines accept, and each connection is answered once.
func TestManyLobbies(t *testing.T) {
	testenv.NoLeaks(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(maxLobbies + 2))
	r := theDoor.start(t, &http.Server{Handler: http.HandlerFunc(recorder)})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				c, err := net.Dial("tcp", r.l.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				head := upgrade(fmt.Sprintf("/%d/%d", i, j))
				if j%5 == 0 {
					head = fmt.Sprintf("GET /%d/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", i, j)
				}
				cut := j * len(head) / 50
				_, _ = io.WriteString(c, head[:cut])
				if j%3 == 0 {
					time.Sleep(time.Millisecond)
				}
				_, _ = io.WriteString(c, head[cut:])
				got, err := answer(c)
				if want := fmt.Sprintf("GET /%d/%d HTTP/1.1", i, j); err != nil || !strings.Contains(got, want) {
					t.Errorf("%q, %v", got, err)
				}
				_ = c.Close()
			}
		})
	}
	wg.Wait()
}

// TestNoDelay: what is accepted does not wait for the acknowledgement of what was sent before.
func TestNoDelay(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		noDelay := make(chan int, 1)
		r := s.start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				return
			}
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close() //nolint:errcheck // it was looked at
			raw, err := c.(syscall.Conn).SyscallConn()
			v := 0
			err = errors.Join(err, raw.Control(func(fd uintptr) { v, _ = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY) }))
			if err != nil {
				t.Error(err)
			}
			noDelay <- v
		})})
		r.say(upgrade("/"))
		if v := <-noDelay; v == 0 {
			t.Error("TCP_NODELAY is off")
		}
	})
}
