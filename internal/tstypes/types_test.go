package tstypes

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type (
	id     int64
	color  string
	tree   []tree
	blob   []byte
	labels map[string][]string
	node   struct {
		Value int     `json:"value"`
		Next  *node   `json:"next,omitempty"`
		All   []*node `json:"all"`
	}
	page[T any] struct {
		Items []T `json:"items"`
	}
	empty    struct{}
	textual  struct{ netip.Addr }
	pointers struct{ n int }
	secret   struct{ hidden int }
)

func (*pointers) MarshalText() ([]byte, error) { return nil, nil }

// TestOf: an expression for each kind of type.
func TestOf(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
		decl string
	}{
		{nil, "unknown", ""},
		{true, "boolean", ""},
		{id(1), "number", ""},
		{float32(1), "number", ""},
		{color(""), "string", ""},
		{json.Number(""), "number", ""},
		{time.Time{}, "string", ""},
		{new(time.Time), "string | null", ""},
		{time.Second, "number", ""},
		{json.RawMessage{}, "unknown", ""},
		{big.Int{}, "unknown", ""},
		{netip.Addr{}, "string", ""},
		{textual{}, "string", ""},
		{pointers{}, "unknown", ""},
		{new(int), "number | null", ""},
		{new(*int), "number | null", ""},
		{[]byte{}, "string | null", ""},
		{blob{}, "string | null", ""},
		{[2]byte{}, "number[]", ""},
		{[]int{}, "number[] | null", ""},
		{[][]string{}, "(string[] | null)[] | null", ""},
		{[]*int{}, "(number | null)[] | null", ""},
		{[]any{}, "unknown[] | null", ""},
		{map[string]int{}, "Record<string, number> | null", ""},
		{map[int]bool{}, "Record<string, boolean> | null", ""},
		{map[netip.Addr][]int{}, "Record<string, number[] | null> | null", ""},
		{struct{}{}, "Record<string, never>", ""},
		{secret{}, "Secret", "\nexport type Secret = Record<string, never>;\n"},
		{struct {
			A int `json:"a"`
			B struct {
				C string `json:"c"`
			} `json:"b"`
		}{}, "{\n  a: number;\n  b: {\n    c: string;\n  };\n}", ""},
		{tree{}, "Tree | null", "\nexport type Tree = (Tree | null)[];\n"},
		{labels{}, "Labels | null", "\nexport type Labels = Record<string, string[] | null>;\n"},
		{empty{}, "Empty", "\nexport type Empty = Record<string, never>;\n"},
		{node{}, "Node", "\nexport interface Node {\n  value: number;\n  next?: Node;\n  all: (Node | null)[] | null;\n}\n"},
		{page[*page[color]]{}, "PagePageColor", "\nexport interface PagePageColor {\n  items: (PageColor | null)[] | null;\n}\n" +
			"\nexport interface PageColor {\n  items: string[] | null;\n}\n"},
	} {
		var s Set
		got, err := s.Of(reflect.TypeOf(tt.v))
		if err != nil || got != tt.want || s.Declarations() != tt.decl {
			t.Errorf("%T: %q, %v\nwant %q\ndeclared %s\nwant     %s", tt.v, got, err, tt.want, s.Declarations(), tt.decl)
		}
	}
}

// TestUnsound: what encoding/json cannot write is named, with the way to it.
func TestUnsound(t *testing.T) {
	type inner struct {
		C chan int `json:"c"`
		F func()
		M map[float64]int
	}
	var s Set
	_, err := s.Of(reflect.TypeFor[[]struct {
		In inner `json:"in"`
	}]())
	for _, part := range []string{`field "in"`, "tstypes.inner", `field "c": JSON has no chan int`, `field "F": JSON has no func()`, `field "M": JSON has no map[float64]int`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %s in it", err, part)
		}
	}
	if _, err := s.Of(reflect.TypeFor[complex128]()); err == nil {
		t.Error("a complex number is written")
	}
}

// TestNames: types of the same name, and of names that are kept for others.
func TestNames(t *testing.T) {
	var s Set
	s.Reserve("Page")
	type duration struct{ A int }
	first := reflect.TypeFor[duration]()
	for _, tt := range []struct {
		t    reflect.Type
		want string
	}{
		{first, "Duration"},
		{func() reflect.Type { type duration struct{ B int }; return reflect.TypeFor[duration]() }(), "TstypesDuration"},
		{func() reflect.Type { type duration struct{ C int }; return reflect.TypeFor[duration]() }(), "TstypesDuration2"},
		{first, "Duration"},
		{func() reflect.Type { type page struct{ D int }; return reflect.TypeFor[page]() }(), "TstypesPage"},
	} {
		if got, err := s.Of(tt.t); err != nil || got != tt.want {
			t.Errorf("%s, %v, want %s", got, err, tt.want)
		}
	}
}

type base struct {
	ID     string `json:"id"`
	Hidden int    `json:"hidden"`
	Same   int    `json:"same"`
	Deep   int    `json:"deep"`
}

type other struct {
	Same int `json:"same"`
	Deep int `json:"deep"`
	Own  int
}

type named struct{ X int }

type loop struct {
	//lint:ignore U1000 it embeds itself
	*loop
	Y int
}

type everything struct {
	base
	*other
	named  `json:"named"`
	loop   loop
	Loop   loop
	Hidden string `json:"hidden"`
	Skip   int    `json:"-"`
	//lint:ignore SA5008 it is named "-"
	Dash int `json:"-,"` //nolint:staticcheck // as above
	Odd  int `json:"odd name!"`
	//lint:ignore SA5008 encoding/json passes over it
	Bad    int    `json:"bad\"name"` //nolint:staticcheck // as above
	Str    int    `json:"str,string"`
	PStr   *bool  `json:"pstr,string"`
	SStr   string `json:"sstr,string"`
	Empty  []int  `json:"empty,omitempty"`
	Zero   named  `json:"zero,omitzero"`
	Struct named  `json:"struct,omitempty"` //nolint:modernize // it has no effect
	Ptr    *named `json:"ptr"`
	PtrO   *named `json:"ptrO,omitempty"`
	Arr    [2]int `json:"arr,omitempty"`
	Any    any    `json:"any"`
	Ünder  int
	priv   int
}

// TestFields: the fields are those that encoding/json writes, and those that may be missing are optional.
func TestFields(t *testing.T) {
	var s Set
	if _, err := s.Of(reflect.TypeFor[everything]()); err != nil {
		t.Fatal(err)
	}
	written := func(v any) []string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		var names []string
		for name := range m {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	full := everything{other: &other{}, Empty: []int{1}, Zero: named{1}, PtrO: &named{}}
	var all, required []string
	for _, f := range fieldsOf(reflect.TypeFor[everything]()) {
		all = append(all, f.name)
		if !f.optional {
			required = append(required, f.name)
		}
	}
	slices.Sort(all)
	slices.Sort(required)
	if got := written(full); !slices.Equal(got, all) {
		t.Errorf("written %q\nfields  %q", got, all)
	}
	if got := written(everything{}); !slices.Equal(got, required) {
		t.Errorf("written  %q\nrequired %q", got, required)
	}
	decl := s.Declarations()
	for _, line := range []string{
		"  id: string;", "  Own?: number;", "  named: Named;", "  Loop: Loop;", "  hidden: string;", "  \"-\": number;", "  \"odd name!\": number;",
		"  Bad: number;", "  str: string;", "  pstr: string | null;", "  sstr: string;", "  empty?: number[];", "  zero?: Named;", "  struct: Named;",
		"  ptr: Named | null;", "  ptrO?: Named;", "  arr: number[];", "  any: unknown;", "  \"Ünder\": number;",
	} {
		if !strings.Contains(decl, line+"\n") {
			t.Errorf("no line %q in%s", line, decl)
		}
	}
	if f := (everything{}); f.priv != 0 || f.loop.Y != 0 || (secret{}).hidden != 0 || (pointers{}).n != 0 {
		t.Error("not zero") // they are there to be left out
	}
}
