package hub_test

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/heartbeat"
	"github.com/gohubkit/hubkit/hub"
	"github.com/gohubkit/hubkit/internal/testenv"
	"go.uber.org/goleak"
)

// TestHandshakesAtOnce: ten thousand clients that have a socket each and then ask all at once. All are let in, and when they
// are gone nothing of them is left.
func TestHandshakesAtOnce(t *testing.T) {
	const children, each = 2, 5000
	testenv.NoLeaks(t, goleak.IgnoreCurrent())
	// The clients do not read on: on a slow machine the first would be found dead before the last is let in.
	s := start(t, hub.WithHeartbeat(heartbeat.Disabled()))
	goroutines, fds := runtime.NumGoroutine(), len(testenv.FDs())
	var clients []*testenv.Process
	for i := range children {
		clients = append(clients, s.startChild(t, stampedeJob, fmt.Sprint(i), each, nil))
	}
	// Who has been answered need not have been counted yet.
	await(t, "all are connected", func() bool { return s.Stats().Conns == children*each })
	if st := s.Stats(); st.Accepted != children*each || st.Refused != 0 || st.Conns != children*each {
		t.Errorf("%d accepted, %d refused, %d connected; want %d", st.Accepted, st.Refused, st.Conns, children*each)
	}
	s.dial(t).alive()
	for _, c := range clients {
		c.Kill()
	}
	await(t, "all are gone", func() bool { return s.Stats().Conns == 1 })
	const spare = 10 * children
	await(t, "goroutines are back", func() bool { return runtime.NumGoroutine() <= goroutines+spare })
	await(t, "file descriptors are back", func() bool { return len(testenv.FDs()) <= fds+spare })
}

// stampede opens n sockets, then sends all handshakes, and only then reads the answers.
func stampede(n int) error {
	u, err := url.Parse(os.Getenv(childURL))
	if err != nil {
		return err
	}
	conns := make([]net.Conn, n)
	err = openAll(n, func(i int) (err error) {
		conns[i], err = net.Dial("tcp", u.Host)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range conns {
		if _, err := c.Write([]byte(handshakeRequest(u.Host))); err != nil {
			return err
		}
	}
	for _, c := range conns {
		line, err := bufio.NewReaderSize(c, 64).ReadString('\n')
		if err == nil && !strings.Contains(line, " 101 ") {
			err = fmt.Errorf("answered %q", line)
		}
		if err != nil {
			return err
		}
	}
	fmt.Println(childReady)
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the parent is done
	fmt.Println(len(conns), "connections were held")
	return nil
}
