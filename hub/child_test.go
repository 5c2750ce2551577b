package hub_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/protocol"
	"github.com/gorilla/websocket"
)

// Clients that are too many for the file descriptors of one process are children: the test binary again, told
// by these variables what to do.
const (
	childEnv  = "HUB_TEST_CHILD"
	childURL  = "HUB_TEST_URL"
	childName = "HUB_TEST_NAME"
	childSize = "HUB_TEST_CONNS"
)

// Jobs of a child.
const (
	abandonJob  = "abandon"  // open connections and forget them, sockets open
	publishJob  = "publish"  // open connections and publish on each, one message after another, until it is closed
	stampedeJob = "stampede" // open sockets, and ask for connections all at once
	confinedJob = "confined" // serve a hub on Redis, with few descriptors
	plainJob    = "plain"    // serve a hub without fast paths, and talk to it
)

const childReady = "ready"

// startChild returns when the child has opened its connections.
func (s *server) startChild(t *testing.T, job, name string, conns int, output func(line string)) *testenv.Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return testenv.Start(t, testenv.Command{
		Path:         exe,
		Env:          []string{childEnv + "=" + job, childURL + "=" + s.url, childName + "=" + name, childSize + "=" + strconv.Itoa(conns)},
		Ready:        func(line string) bool { return line == childReady },
		ReadyTimeout: 2 * patience,
		Stdout:       output,
	})
}

// runChild is the child's main function.
func runChild(job string) int {
	n, err := strconv.Atoi(os.Getenv(childSize))
	if err == nil {
		switch job {
		case abandonJob:
			err = abandon(n)
		case stampedeJob:
			err = stampede(n)
		case plainJob:
			err = plain()
		case confinedJob:
			err = confined()
		case publishJob:
			err = publishAll(n)
		default:
			err = fmt.Errorf("no job %q", job)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// openAll calls open n times, many at once.
func openAll(n int, open func(i int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	const workers = 32
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				if err := open(i); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func handshakeRequest(host string) string {
	return "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
}

func abandon(n int) error {
	u, err := url.Parse(os.Getenv(childURL))
	if err != nil {
		return err
	}
	request := handshakeRequest(u.Host)
	conns := make([]net.Conn, n) // held, or they would be closed when they are collected
	err = openAll(n, func(i int) error {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			return err
		}
		conns[i] = c
		if _, err := c.Write([]byte(request)); err != nil {
			return err
		}
		line, err := bufio.NewReaderSize(c, 64).ReadString('\n')
		if err == nil && !strings.Contains(line, " 101 ") {
			err = fmt.Errorf("answered %q", line)
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Println(childReady)
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the parent is done
	fmt.Println(len(conns), "connections were abandoned")
	return nil
}

// published is what became of a connection that published.
type published struct {
	Name  string             // of the connection
	Acked int                // messages 1 to Acked were answered by ok
	Code  protocol.CloseCode // how it ended
	Hint  bool               // the close carried one
	Err   string             // what else went wrong
}

func publishAll(n int) error {
	conns := make([]*websocket.Conn, n)
	d := websocket.Dialer{HandshakeTimeout: patience}
	err := openAll(n, func(i int) error {
		ws, resp, err := d.Dial(os.Getenv(childURL), nil)
		if err != nil {
			return err
		}
		conns[i] = ws
		return resp.Body.Close()
	})
	if err != nil {
		return err
	}
	fmt.Println(childReady)
	results := make(chan published)
	for i, ws := range conns {
		go func() { results <- publishUntilClosed(ws, os.Getenv(childName)+strconv.Itoa(i)) }()
	}
	out := json.NewEncoder(os.Stdout)
	for range conns {
		if err := out.Encode(<-results); err != nil {
			return err
		}
	}
	return nil
}

func publishUntilClosed(ws *websocket.Conn, name string) published {
	p := published{Name: name}
	defer ws.Close() //nolint:errcheck // it is over
	for next := 1; ; {
		if next == p.Acked+1 {
			// A failure is found by reading on to the close frame.
			_ = ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"op":"publish","id":%d,"room":"log","data":"%s %d"}`, next, name, next))
			next++
		}
		_ = ws.SetReadDeadline(time.Now().Add(2 * patience))
		_, frame, err := ws.ReadMessage()
		var ce *websocket.CloseError
		switch {
		case errors.As(err, &ce):
			p.Code = protocol.CloseCode(ce.Code)
			_, p.Hint = protocol.ParseHint(ce.Text)
			return p
		case err != nil:
			p.Err = err.Error()
			return p
		}
		var r reply
		if err := json.Unmarshal(frame, &r); err != nil || r.Op == "error" {
			p.Err = string(frame)
			return p
		}
		if r.Op == "ok" && r.ID == uint64(p.Acked+1) {
			p.Acked++
		}
	}
}
