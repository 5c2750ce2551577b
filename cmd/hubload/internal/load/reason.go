package load

import (
	"container/heap"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gohubkit/hubkit/internal/wsload"
	"github.com/gohubkit/hubkit/protocol"
)

var errSubprotocol = errors.New("the server did not choose the subprotocol: is it a hubkit hub? If not, see -raw")

// timeoutError says what was not awaited any longer.
func timeoutError(at state) error {
	switch at {
	case greeted:
		return errors.New("timeout: no welcome")
	case joining:
		return errors.New("timeout: a join was not answered")
	default:
		return errors.New("timeout: no handshake")
	}
}

// reason names an error so that others of its kind have the same name.
func reason(err error) string {
	if e, ok := errors.AsType[*wsload.RefusedError](err); ok {
		_, status, _ := strings.Cut(e.Line, " ")
		return "HTTP " + status
	}
	if e, ok := errors.AsType[*wsload.CloseError](err); ok {
		return "close code " + protocol.CloseCode(e.Code).String()
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate: " + clip(e.Err.Error())
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		if e == syscall.EADDRNOTAVAIL {
			return "no local port is free: more -source addresses"
		}
		return e.Error()
	}
	var timeout net.Error
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "closed without a close frame"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return clip(err.Error())
}

func clip(s string) string {
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}

// mayReturn goes by what the server said.
func mayReturn(err error) bool {
	if e, ok := errors.AsType[*wsload.CloseError](err); ok {
		return protocol.CloseCode(e.Code).Reconnect()
	}
	return true
}

// hint is what the server said about when to come back.
func hint(err error) (protocol.Hint, bool) {
	if e, ok := errors.AsType[*wsload.CloseError](err); ok {
		return protocol.ParseHint(e.Reason)
	}
	if e, ok := errors.AsType[*wsload.RefusedError](err); ok {
		if after, err := strconv.Atoi(e.RetryAfter); err == nil && after >= 0 {
			return protocol.Hint{RetryAfter: time.Duration(after) * time.Second, Spread: time.Second}, true
		}
	}
	return protocol.Hint{}, false
}

// requestError is what a hub answered to a request.
func requestError(what string, e *protocol.Event) error {
	return fmt.Errorf("%s: %s: %s", what, e.Code, e.Message)
}

// returns are the connections that wait to come back, the next one first.
type returns struct{ q queue }

type comeback struct {
	at time.Time
	i  int
}

func (r *returns) empty() bool              { return len(r.q) == 0 }
func (r *returns) due(now time.Time) bool   { return !now.Before(r.q[0].at) }
func (r *returns) push(at time.Time, i int) { heap.Push(&r.q, comeback{at, i}) }
func (r *returns) pop() int                 { return heap.Pop(&r.q).(comeback).i }

type queue []comeback

func (q *queue) Len() int           { return len(*q) }
func (q *queue) Less(a, b int) bool { return (*q)[a].at.Before((*q)[b].at) }
func (q *queue) Swap(a, b int)      { (*q)[a], (*q)[b] = (*q)[b], (*q)[a] }
func (q *queue) Push(x any)         { *q = append(*q, x.(comeback)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}
