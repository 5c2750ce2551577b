package door

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// corpus is what clients begin with: handshakes, other requests, and heads that are malformed or that two servers could read in
// two ways.
var corpus = []string{
	upgrade("/"),
	upgrade("/ws?a=b&c=%20d", "Cookie: a=b", "Cookie: c=d", "X-Empty:", "X-Blank:  \t x \t", "Origin: http://example.com"),
	upgrade("/a%2fb/../c;d"),
	upgrade("//host/path"),
	upgrade("/%zz"),
	upgrade("/a#b"),
	upgrade("/\u00e4"),
	upgrade("/", "X-Utf: \u00e4\xff"),
	upgrade("/", "x-lower: 1", "X-LOWER: 2"),
	upgrade("/", "Content-Length: 0"),
	upgrade("/", "Content-Length: 5") + "hello",
	upgrade("/", "Content-Length: 5", "Content-Length: 6") + "hello!",
	upgrade("/", "Content-Length: -1"),
	upgrade("/", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n",
	upgrade("/", "Transfer-Encoding: chunked", "Content-Length: 3") + "0\r\n\r\n",
	upgrade("/", "Transfer-Encoding: identity"),
	upgrade("/", "Transfer-Encoding : chunked"),
	upgrade("/", "Transfer-Encoding\t: chunked"),
	upgrade("/", "Expect: 100-continue"),
	upgrade("/", "Expect: tea"),
	upgrade("/", "Trailer: X-T"),
	upgrade("/", "Host: other"),
	upgrade("/", "host: example.com"),
	upgrade("/", "Connection: close"),
	upgrade("/", "Connection: keep-alive"),
	upgrade("/", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
	upgrade("/", "X-Fold: a", " b"),
	upgrade("/", "X-Fold: a", "\tb"),
	upgrade("/", " X-Space: a"),
	upgrade("/", "X Space: a"),
	upgrade("/", "NoColon"),
	upgrade("/", ": empty"),
	upgrade("/", "X-Nul: a\x00b"),
	upgrade("/", "X-Bell: a\x07b"),
	upgrade("/", "X-Del: a\x7fb"),
	upgrade("/", "X-Cr: a\rb"),
	upgrade("/", "X-Name\x80: a"),
	upgrade("/", "X(Name): a"),
	strings.ReplaceAll(upgrade("/"), "\r\n", "\n"),
	strings.Replace(upgrade("/"), "\r\n", "\n", 1),
	strings.Replace(upgrade("/", "X-A: b"), "b\r\n", "b\n", 1),
	"\r\n" + upgrade("/"),
	strings.Replace(upgrade("/"), "GET", "get", 1),
	strings.Replace(upgrade("/"), "GET ", "GET  ", 1),
	strings.Replace(upgrade("/"), "GET ", "GET\t", 1),
	strings.Replace(upgrade("/"), "HTTP/1.1", "HTTP/1.0", 1),
	strings.Replace(upgrade("/"), "HTTP/1.1", "HTTP/1.2", 1),
	strings.Replace(upgrade("/"), "HTTP/1.1", "HTTP/2.0", 1),
	strings.Replace(upgrade("/"), "HTTP/1.1", "HTTP/1.1 ", 1),
	strings.Replace(upgrade("/"), "HTTP/1.1", "http/1.1", 1),
	strings.Replace(upgrade("/"), " HTTP/1.1", "", 1),
	strings.Replace(upgrade("/"), "GET", "POST", 1),
	strings.Replace(upgrade("/"), "GET", "HEAD", 1),
	strings.Replace(upgrade("/"), "GET", "CONNECT", 1),
	strings.Replace(upgrade("/"), "GET /", "GET http://example.com/x", 1),
	strings.Replace(upgrade("/"), "GET /", "GET *", 1),
	strings.Replace(upgrade("/"), "GET /", "OPTIONS *", 1),
	strings.Replace(upgrade("/"), "Host: example.com\r\n", "", 1),
	strings.Replace(upgrade("/"), "example.com", "", 1),
	strings.Replace(upgrade("/"), "example.com", "ex ample.com", 1),
	strings.Replace(upgrade("/"), "example.com", "example.com, other", 1),
	strings.Replace(upgrade("/"), "example.com", "[::1]:80", 1),
	strings.Replace(upgrade("/"), "example.com", "user@example.com", 1),
	strings.Replace(upgrade("/"), "example.com", "ex%41mple.com", 1),
	strings.Replace(upgrade("/"), "Connection: Upgrade", "Connection: keep-alive, upgrade", 1),
	strings.Replace(upgrade("/"), "Connection: Upgrade", "connection:UPGRADE", 1),
	strings.Replace(upgrade("/"), "websocket", "WebSocket", 1),
	strings.Replace(upgrade("/"), "websocket", "websocket, h2c", 1),
	strings.Replace(upgrade("/"), "websocket", "tea", 1),
	"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\r\n",
	"POST /p HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	upgrade("/", "X-Long: "+strings.Repeat("a", maxHead)),
	upgrade("/", "X-Long: "+strings.Repeat("a", 5000)),
	"GET / HT",
	"GET / HTTP/1.1\r\nHost: x\r\nBroken\r\n",
	"G",
}

// verdict sends s in pieces of n bytes, all at once if n is zero, ends what it sends, and returns what is answered. A server that
// refuses what it has not read whole may reset the connection, and the answer is lost: then it is asked again.
func (r *running) verdict(s string, n int) string {
	r.t.Helper()
	for range 100 {
		if got, err := r.tryVerdict(s, n); err == nil {
			return got
		}
	}
	return "reset"
}

func (r *running) tryVerdict(s string, n int) (string, error) {
	c := r.dial()
	defer c.Close() //nolint:errcheck // it was read
	if n == 0 {
		n = len(s)
	}
	for len(s) > 0 {
		n = min(n, len(s))
		if _, err := io.WriteString(c, s[:n]); err != nil {
			break // it has been answered already
		}
		s = s[n:]
	}
	_ = c.CloseWrite()
	got, err := answer(c)
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "", err
	case err == nil:
		return got, nil
	case eof(err):
		return "closed", nil
	}
	return err.Error(), nil
}

// TestVerdicts: whatever comes, however it comes, is answered as net/http answers it.
func TestVerdicts(t *testing.T) {
	rigs := make(map[string]*running)
	for _, s := range []side{netHTTP, theDoor} {
		rigs[s.name] = s.start(t, &http.Server{Handler: http.HandlerFunc(recorder), ReadHeaderTimeout: patience})
	}
	for _, s := range corpus {
		for _, n := range []int{0, 7} {
			want, got := rigs["net/http"].verdict(s, n), rigs["door"].verdict(s, n)
			if got != want {
				t.Errorf("%.200q in pieces of %d:\n%s\nnet/http:\n%s", s, n, got, want)
			}
		}
	}
}

// TestVerdictComesAtOnce: a head that can only be refused is refused before it is whole, as net/http does.
func TestVerdictComesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.start(t, &http.Server{})
		for _, tt := range []string{"GET / HTP/1.1\r\n", "GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\r\nBroken\r\n\r\n"} {
			c := r.say(tt)
			if got, err := answer(c); err != nil || got == "" {
				t.Errorf("%q: %q, %v", tt, got, err)
			}
			_ = c.Close()
		}
	})
}

func TestMaxHeaderBytes(t *testing.T) {
	for _, most := range []int{1, 1000, 4096, 5000, 0} {
		var got [2][]string
		for i, s := range []side{netHTTP, theDoor} {
			r := s.start(t, &http.Server{Handler: http.HandlerFunc(recorder), MaxHeaderBytes: most})
			for _, n := range []int{100, 3000, 3900, 4200, 5000, 7000, 8000, 8300, 10000} {
				got[i] = append(got[i], r.verdict(upgrade("/", "X-Long: "+strings.Repeat("a", n)), 0)[:3])
			}
		}
		if a, b := strings.Join(got[0], " "), strings.Join(got[1], " "); a != b {
			t.Errorf("MaxHeaderBytes %d: %s, net/http %s", most, b, a)
		}
	}
}

// TestHeadTimeouts: a head that is not whole in time is not answered, but for one that has no whole line, and the connection closed.
func TestHeadTimeouts(t *testing.T) {
	const short = 50 * time.Millisecond
	for _, times := range []struct{ header, all time.Duration }{{short, 0}, {0, short}, {short, patience}} {
		for _, begins := range []string{"", "GET / HTTP", "POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\n"} {
			onBoth(t, func(t *testing.T, s side) {
				r := s.start(t, &http.Server{ReadHeaderTimeout: times.header, ReadTimeout: times.all})
				want := ""
				if begins == "GET / HTTP" {
					want = string(badRequest) // package http takes it for a whole line
				}
				for range 20 { // on a busy machine the time may be over before the server has read what was said
					begun := time.Now()
					c := r.dial()
					_, sent := io.WriteString(c, begins)
					rest, err := io.ReadAll(c)
					if d := time.Since(begun); d < short-20*time.Millisecond {
						t.Fatalf("%q: closed after %v", begins, d)
					}
					if sent == nil && string(rest) == want && err == nil {
						return
					}
					t.Logf("%q: %q, %v, %v", begins, rest, sent, err)
				}
				t.Errorf("%q is never answered %q", begins, want)
			})
		}
	}
}

// TestHeadWithoutTimeout: with no timeout a slow head is waited for.
func TestHeadWithoutTimeout(t *testing.T) {
	onBoth(t, func(t *testing.T, s side) {
		r := s.start(t, &http.Server{Handler: http.HandlerFunc(recorder)})
		head := upgrade("/slow")
		c := r.dial()
		for i := range head {
			if _, err := io.WriteString(c, head[i:i+1]); err != nil {
				t.Fatal(err)
			}
			if i%20 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		if got, err := answer(c); err != nil || !strings.HasPrefix(got, "200") {
			t.Errorf("%q, %v", got, err)
		}
	})
}
