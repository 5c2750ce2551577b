package hub_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/gohubkit/hubkit/internal/cbor"
	"github.com/gorilla/websocket"
)

// inCBOR is the poller, with clients that speak CBOR unless a test asks for something else.
var inCBOR = transport{name: "cbor", cbor: true}

// overAll runs a test on every transport, and in every codec.
func overAll(t *testing.T, f func(t *testing.T, tr transport)) {
	t.Helper()
	overEach(t, f)
	t.Run(inCBOR.name, func(t *testing.T) { f(t, inCBOR) })
}

// encoded is a frame as the client speaks it.
func (c *client) encoded(frame string) (kind int, p []byte) {
	if c.cbor {
		return websocket.BinaryMessage, cbor.FromJSON(nil, []byte(frame))
	}
	return websocket.TextMessage, []byte(frame)
}

// asJSON writes a frame in CBOR as JSON, field by field in their order, so that it reads as if the hub had spoken JSON.
func asJSON(p []byte) ([]byte, error) {
	out, rest, err := itemAsJSON(nil, p, "")
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow", len(rest))
	}
	return out, err
}

func itemAsJSON(dst, p []byte, path string) (out, rest []byte, err error) {
	if len(p) == 0 {
		return nil, nil, fmt.Errorf("%s: cut", path)
	}
	major, low, n := p[0]>>5, p[0]&31, uint64(p[0]&31)
	p = p[1:]
	if low >= 24 && low <= 27 {
		size := 1 << (low - 24)
		var raw [8]byte
		copy(raw[8-size:], p[:size])
		n, p = binary.BigEndian.Uint64(raw[:]), p[size:]
	}
	switch {
	case major == 0:
		return strconv.AppendUint(dst, n, 10), p, nil
	case major == 2 && path == ".data":
		return append(append(append(dst, '"'), base64.StdEncoding.EncodeToString(p[:n])...), '"'), p[n:], nil
	case major == 3 && (path == ".data" || path == ".from.info"):
		return append(dst, p[:n]...), p[n:], nil
	case major == 3:
		text, err := json.Marshal(string(p[:n]))
		return append(dst, text...), p[n:], err
	case major == 5:
		open := byte('{')
		for range n {
			key, after, err := itemAsJSON(nil, p, "")
			if err != nil {
				return nil, nil, err
			}
			if string(key) == `"data"` && path == "" && after[0]>>5 == 2 {
				key = []byte(`"bin"`)
			}
			name, _ := strconv.Unquote(string(key))
			if name == "bin" {
				name = "data"
			}
			dst = append(append(append(dst, open), key...), ':')
			if dst, p, err = itemAsJSON(dst, after, path+"."+name); err != nil {
				return nil, nil, err
			}
			open = ','
		}
		return append(dst, '}'), p, nil
	case major == 7 && low == 21:
		return append(dst, "true"...), p, nil
	case major == 7 && low == 20:
		return append(dst, "false"...), p, nil
	}
	return nil, nil, fmt.Errorf("%s: an item of type %d", path, major)
}

// TestAsJSON: what the tests read of a hub that speaks CBOR is what one that speaks JSON would have sent.
func TestAsJSON(t *testing.T) {
	for _, frame := range []string{
		`{"op":"ok","id":300,"room":"a","epoch":"e","offset":70000,"read_only":true,"data":{"a":[1]}}`,
		`{"op":"message","room":"a","from":{"conn":"c","info":{"n":1}},"time":1700000000123,"tags":{"info":"i"},"bin":"/w=="}`,
	} {
		if got, err := asJSON(cbor.FromJSON(nil, []byte(frame))); string(got) != frame || err != nil {
			t.Errorf("got %s, %v, want %s", got, err, frame)
		}
	}
}
