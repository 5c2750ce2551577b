package resp

import "strings"

// Kind says what a [Value] is: the first byte of its wire form, as far as the difference matters.
type Kind byte

// The kinds. What is sent in several forms has one of them: a blob error is an Error, a verbatim string a Blob,
// a set an Array.
const (
	Simple Kind = '+' // Text
	Fail   Kind = '-' // Text; see Value.Err
	Int    Kind = ':' // Int
	Blob   Kind = '$' // Text
	Array  Kind = '*' // Elems
	Push   Kind = '>' // Elems
	Map    Kind = '%' // Elems: keys and values in turn
	Null   Kind = '_'
	Bool   Kind = '#' // Int: 0 or 1
	Number Kind = ',' // Text; of any size and precision
)

// Value is something that the server sent. Text and Elems are views of what a [Reader] holds.
type Value struct {
	Kind  Kind
	Int   int64
	Text  []byte
	Elems []Value
}

// Err is the error that the value is, or nil. It holds no view.
func (v Value) Err() error {
	if v.Kind != Fail {
		return nil
	}
	return Error(v.Text)
}

// Get is the value of a key of a Map.
func (v Value) Get(key string) (Value, bool) {
	if v.Kind == Map {
		for i := 0; i+1 < len(v.Elems); i += 2 {
			if string(v.Elems[i].Text) == key {
				return v.Elems[i+1], true
			}
		}
	}
	return Value{}, false
}

// Error is what the server says instead of an answer.
type Error string

func (e Error) Error() string { return string(e) }

// Code is its first word, which tells programs what it is.
func (e Error) Code() string {
	code, _, _ := strings.Cut(string(e), " ")
	return code
}
