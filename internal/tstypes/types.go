package tstypes

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Set collects the declarations of named types. The zero Set is empty.
type Set struct {
	names map[reflect.Type]string
	taken map[string]bool
	decls []string
}

// Reserve keeps names for others. It is called first.
func (s *Set) Reserve(names ...string) {
	s.init()
	for _, n := range names {
		s.taken[n] = true
	}
}

func (s *Set) init() {
	if s.names == nil {
		s.names, s.taken = make(map[reflect.Type]string), make(map[string]bool)
	}
}

// Declarations are those of all types that Of has met, each with an empty line before it.
func (s *Set) Declarations() string { return strings.Join(s.decls, "") }

// Of returns the expression of a type; nil stands for any. It declares the named types that are in it. The error names
// everything that encoding/json cannot write.
func (s *Set) Of(t reflect.Type) (string, error) {
	s.init()
	if t == nil {
		return "unknown", nil
	}
	return s.of(t)
}

var (
	marshaler       = reflect.TypeFor[json.Marshaler]()
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	number          = reflect.TypeFor[json.Number]()
	instant         = reflect.TypeFor[time.Time]()
)

func implements(t, i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) }

func (s *Set) of(t reflect.Type) (string, error) {
	switch {
	case t == instant:
		return "string", nil
	case t == number:
		return "number", nil
	case t.Kind() == reflect.Pointer:
		e, err := s.of(t.Elem())
		return orNull(e), err
	case t.Kind() == reflect.Interface, implements(t, marshaler), implements(t, unmarshaler):
		return "unknown", nil
	case t.Implements(textMarshaler):
		return "string", nil
	case implements(t, textMarshaler), implements(t, textUnmarshaler): // its form depends on where the value stands
		return "unknown", nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean", nil
	case reflect.String:
		return "string", nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64:
		return "number", nil
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		if t.Name() == "" {
			return s.literal(t)
		}
		return s.named(t)
	}
	return "never", fmt.Errorf("JSON has no %s", t)
}

func orNull(e string) string {
	if e == "unknown" || strings.HasSuffix(e, " | null") {
		return e
	}
	return e + " | null"
}

// named declares a type once. A type may refer to itself, and so has its name before it is looked at.
func (s *Set) named(t reflect.Type) (string, error) {
	null := ""
	if k := t.Kind(); k == reflect.Map || k == reflect.Slice {
		null = " | null"
	}
	if name, ok := s.names[t]; ok {
		return name + null, nil
	}
	if t.Kind() == reflect.Slice && bytesOf(t) {
		return "string" + null, nil
	}
	name := s.name(t)
	s.names[t], s.taken[name] = name, true
	at := len(s.decls)
	s.decls = append(s.decls, "") // in the order in which they are met
	e, err := s.literal(t)
	if err != nil {
		return name, fmt.Errorf("%s: %w", t, err)
	}
	if strings.HasPrefix(e, "{") {
		s.decls[at] = fmt.Sprintf("\nexport interface %s %s\n", name, e)
	} else {
		s.decls[at] = fmt.Sprintf("\nexport type %s = %s;\n", name, strings.TrimSuffix(e, " | null"))
	}
	return name + null, nil
}

func bytesOf(t reflect.Type) bool {
	e := t.Elem()
	return e.Kind() == reflect.Uint8 && !implements(e, marshaler) && !implements(e, textMarshaler)
}

// literal is the expression of a type's structure.
func (s *Set) literal(t reflect.Type) (string, error) {
	switch t.Kind() {
	case reflect.Slice:
		if bytesOf(t) {
			return "string | null", nil // base64
		}
		e, err := s.of(t.Elem())
		return arrayOf(e) + " | null", err
	case reflect.Array:
		e, err := s.of(t.Elem())
		return arrayOf(e), err
	case reflect.Map:
		k := t.Key()
		if !implements(k, textMarshaler) && k.Kind() != reflect.String && !isInteger(k) {
			return "never", fmt.Errorf("JSON has no %s", t)
		}
		e, err := s.of(t.Elem())
		return "Record<string, " + e + "> | null", err
	default:
		return s.object(t)
	}
}

func isInteger(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr }

func arrayOf(e string) string {
	if strings.Contains(e, " ") {
		return "(" + e + ")[]"
	}
	return e + "[]"
}

func (s *Set) object(t reflect.Type) (string, error) {
	fields := fieldsOf(t)
	if len(fields) == 0 {
		return "Record<string, never>", nil
	}
	var b strings.Builder
	b.WriteString("{\n")
	var errs []error
	for _, f := range fields {
		e, err := s.of(f.typ)
		if err != nil {
			errs = append(errs, fmt.Errorf("field %q: %w", f.name, err))
			continue
		}
		if f.quoted && quotable(f.typ) {
			e = strings.NewReplacer("number", "string", "boolean", "string").Replace(e)
		}
		mark := ""
		if f.optional {
			mark = "?"
		}
		if f.omitsNil {
			e = strings.TrimSuffix(e, " | null")
		}
		fmt.Fprintf(&b, "  %s%s: %s;\n", property(f.name), mark, strings.ReplaceAll(e, "\n", "\n  "))
	}
	b.WriteByte('}')
	return b.String(), errors.Join(errs...)
}

// quotable reports whether the option "string" of a field's tag has an effect.
func quotable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Bool || isInteger(t) || t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64
}

// property is a name as the key of an object.
func property(name string) string {
	for i, r := range name {
		if r == '_' || r == '$' || r < utf8.RuneSelf && (unicode.IsLetter(r) || i > 0 && unicode.IsDigit(r)) {
			continue
		}
		return Quote(name)
	}
	return name
}

// Quote writes a string as TypeScript does. encoding/json's strings are JavaScript's.
func Quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return strconv.Quote(s) // a string cannot fail
	}
	return string(text)
}

// name finds a name for a type that no other type has.
func (s *Set) name(t reflect.Type) string {
	short := identifier(t.Name())
	if !s.taken[short] {
		return short
	}
	pkg := t.PkgPath()
	long := identifier(pkg[strings.LastIndexByte(pkg, '/')+1:]) + short
	name := long
	for i := 2; s.taken[name]; i++ {
		name = long + strconv.Itoa(i)
	}
	return name
}

// identifier makes a name of a Go type's, which may have type arguments with packages: Page[example.com/shop.Item] is PageItem.
func identifier(name string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune("[],*", r) }) {
		word = word[strings.LastIndexAny(word, "./")+1:]
		if i := strings.IndexRune(word, '·'); i >= 0 { // of a type that a function declares
			word = word[:i]
		}
		first := true
		for _, r := range word {
			switch {
			case r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r):
				continue
			case first:
				r, first = unicode.ToUpper(r), false
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}
