package resp_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gohubkit/hubkit/internal/resp"
)

// clone copies what is a view.
func clone(v resp.Value) resp.Value {
	v.Text = bytes.Clone(v.Text)
	if len(v.Elems) > 0 {
		elems := make([]resp.Value, len(v.Elems))
		for i, e := range v.Elems {
			elems[i] = clone(e)
		}
		v.Elems = elems
	} else {
		v.Elems = nil
	}
	return v
}

// readAll takes all values out of what src brings. The error is io.EOF where every byte belongs to one.
func readAll(src io.Reader, size int) (vs []resp.Value, err error) {
	r := resp.NewReader(src, size)
	for {
		v, ok, err := r.Next()
		if err != nil {
			return vs, err
		}
		if ok {
			vs = append(vs, clone(v))
			continue
		}
		if err := r.Fill(); err != nil {
			return vs, err
		}
	}
}

func text(kind resp.Kind, s string) resp.Value { return resp.Value{Kind: kind, Text: []byte(s)} }

func number(n int64) resp.Value { return resp.Value{Kind: resp.Int, Int: n} }

func list(kind resp.Kind, elems ...resp.Value) resp.Value {
	return resp.Value{Kind: kind, Elems: elems}
}

var forms = map[string]struct {
	wire string
	want resp.Value
}{
	"simple":       {"+OK\r\n", text(resp.Simple, "OK")},
	"error":        {"-MOVED 7 h:1\r\n", text(resp.Fail, "MOVED 7 h:1")},
	"blob error":   {"!5\r\nERR x\r\n", text(resp.Fail, "ERR x")},
	"integer":      {":-12\r\n", number(-12)},
	"smallest":     {":-9223372036854775808\r\n", number(-1 << 63)},
	"largest":      {":9223372036854775807\r\n", number(1<<63 - 1)},
	"blob":         {"$4\r\na\r\nb\r\n", text(resp.Blob, "a\r\nb")},
	"empty blob":   {"$0\r\n\r\n", text(resp.Blob, "")},
	"verbatim":     {"=6\r\ntxt:hi\r\n", text(resp.Blob, "hi")},
	"null":         {"_\r\n", resp.Value{Kind: resp.Null}},
	"old null":     {"$-1\r\n", resp.Value{Kind: resp.Null}},
	"older null":   {"*-1\r\n", resp.Value{Kind: resp.Null}},
	"true":         {"#t\r\n", resp.Value{Kind: resp.Bool, Int: 1}},
	"false":        {"#f\r\n", resp.Value{Kind: resp.Bool}},
	"double":       {",1.5\r\n", text(resp.Number, "1.5")},
	"big":          {"(123456789012345678901234567890\r\n", text(resp.Number, "123456789012345678901234567890")},
	"empty array":  {"*0\r\n", list(resp.Array)},
	"set":          {"~1\r\n:1\r\n", list(resp.Array, number(1))},
	"map":          {"%1\r\n+k\r\n:1\r\n", list(resp.Map, text(resp.Simple, "k"), number(1))},
	"attributes":   {"|1\r\n+ttl\r\n:9\r\n:7\r\n", number(7)},
	"message":      {">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n", list(resp.Push, text(resp.Blob, "message"), text(resp.Blob, "c"), text(resp.Blob, "hi"))},
	"list in list": {"*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n+x\r\n", list(resp.Array, list(resp.Array, number(1), number(2)), list(resp.Array, text(resp.Simple, "x")))},
}

// Every form is read, alone and among others, whole and byte by byte.
func TestForms(t *testing.T) {
	var wire strings.Builder
	var want []resp.Value
	for name, f := range forms {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(f.wire), 16)
			if !errors.Is(err, io.EOF) || !reflect.DeepEqual(got, []resp.Value{f.want}) {
				t.Errorf("%q: %+v, %v, want %+v", f.wire, got, err, f.want)
			}
		})
		wire.WriteString(f.wire)
		want = append(want, f.want)
	}
	for name, arrive := range map[string]func(io.Reader) io.Reader{
		"whole":  func(r io.Reader) io.Reader { return r },
		"halves": iotest.HalfReader,
		"bytes":  iotest.OneByteReader,
	} {
		for _, size := range []int{1, 16, 64 << 10} {
			got, err := readAll(arrive(strings.NewReader(wire.String())), size)
			if !errors.Is(err, io.EOF) || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, buffer of %d: %d values, %v, want %d", name, size, len(got), err, len(want))
			}
		}
	}
}

// What is no RESP3, or more than a Reader takes, is refused, however little of it has come.
func TestRefused(t *testing.T) {
	for name, wire := range map[string]string{
		"kind":             "hello\r\n",
		"line end":         "+OK\rx",
		"long line":        "+" + strings.Repeat("x", 65<<10),
		"length":           "$x\r\n",
		"no length":        "$\r\n",
		"negative length":  "$-2\r\n",
		"too long":         "$67108865\r\n",
		"longer than said": "$1\r\nab\r\n",
		"shorter":          "$2\r\na\r\n\r\n",
		"verbatim":         "=3\r\nabc\r\n",
		"number":           ":1x\r\n",
		"empty number":     ":\r\n",
		"huge number":      ":9223372036854775808\r\n",
		"many digits":      ":00000000000000000001\r\n",
		"boolean":          "#x\r\n",
		"null":             "_x\r\n",
		"too many":         "*4097\r\n",
		"too many in all":  "*3000\r\n*3000\r\n",
		"map too large":    "%4096\r\n",
		"too deep":         strings.Repeat("*1\r\n", 9),
		"streamed":         "$?\r\n",
	} {
		if _, err := readAll(strings.NewReader(wire), 16); !errors.Is(err, resp.ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", name, err)
		}
	}
}

// The buffer grows for what is large and not for more, and is small again afterwards.
func TestLarge(t *testing.T) {
	payload := strings.Repeat("x", 1<<20)
	wire := "$" + strconv.Itoa(len(payload)) + "\r\n" + payload + "\r\n+after\r\n"
	got, err := readAll(strings.NewReader(wire), 4<<10)
	if !errors.Is(err, io.EOF) || len(got) != 2 || string(got[0].Text) != payload || string(got[1].Text) != "after" {
		t.Errorf("%d values, %v, want 2", len(got), err)
	}
	small := strings.Repeat("+x\r\n", 10_000)
	got, err = readAll(strings.NewReader(wire+small), 4<<10)
	if !errors.Is(err, io.EOF) || len(got) != 10_002 {
		t.Errorf("%d values, %v, want 10,002", len(got), err)
	}
}

func TestNoProgress(t *testing.T) {
	if err := resp.NewReader(iotest.ErrReader(nil), 16).Fill(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v, want ErrNoProgress", err)
	}
	if err := resp.NewReader(iotest.TimeoutReader(strings.NewReader("")), 16).Fill(); err == nil {
		t.Error("no error at the end")
	}
}

func TestError(t *testing.T) {
	v := text(resp.Fail, "MOVED 7 127.0.0.1:1")
	var e resp.Error
	if !errors.As(v.Err(), &e) || e.Code() != "MOVED" || e.Error() != "MOVED 7 127.0.0.1:1" {
		t.Errorf("%v, want the error of the server", v.Err())
	}
	if err := text(resp.Simple, "OK").Err(); err != nil {
		t.Errorf("%v, want none", err)
	}
}

func TestGet(t *testing.T) {
	m := list(resp.Map, text(resp.Blob, "role"), text(resp.Blob, "master"), text(resp.Blob, "proto"), number(3))
	if v, ok := m.Get("proto"); !ok || v.Int != 3 {
		t.Errorf("%+v, %t", v, ok)
	}
	if _, ok := m.Get("master"); ok {
		t.Error("a value was taken for a key")
	}
}

func TestAppendCommand(t *testing.T) {
	got := resp.AppendCommand([]byte("x"), "SET", "k\r\n", "")
	if want := "x*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever comes, a Reader neither panics nor says more than was sent, and what it makes of the bytes does not depend
// on how they arrive.
func FuzzReader(f *testing.F) {
	for _, form := range forms {
		f.Add([]byte(form.wire))
	}
	f.Add([]byte("*2\r\n|1\r\n+a\r\n~0\r\n+b\r\n>1\r\n%0\r\n"))
	f.Add([]byte("$67108864\r\nx"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		if len(wire) > 1<<10 {
			return
		}
		whole, err := readAll(bytes.NewReader(wire), 64<<10)
		bytewise, err2 := readAll(iotest.OneByteReader(bytes.NewReader(wire)), 1)
		if !reflect.DeepEqual(whole, bytewise) || (errors.Is(err, resp.ErrProtocol) != errors.Is(err2, resp.ErrProtocol)) {
			t.Fatalf("%+v, %v at once; %+v, %v byte by byte", whole, err, bytewise, err2)
		}
	})
}

// messages is a source that never ends.
type messages struct{ wire, rest []byte }

func (m *messages) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(m.rest) == 0 {
			m.rest = m.wire
		}
		c := copy(p[n:], m.rest)
		n, m.rest = n+c, m.rest[c:]
	}
	return n, nil
}

func BenchmarkReader(b *testing.B) {
	payload := strings.Repeat("x", 128)
	wire := ">3\r\n$7\r\nmessage\r\n$18\r\nhubkit:{bench1234}\r\n$128\r\n" + payload + "\r\n"
	r := resp.NewReader(&messages{wire: []byte(wire)}, 64<<10)
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		for {
			v, ok, err := r.Next()
			if err != nil {
				b.Fatal(err)
			}
			if ok {
				if len(v.Elems) != 3 || len(v.Elems[2].Text) != 128 {
					b.Fatal(v)
				}
				break
			}
			if err := r.Fill(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
