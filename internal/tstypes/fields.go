package tstypes

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is one of an object as encoding/json writes it.
type field struct {
	name     string
	typ      reflect.Type
	index    []int
	tagged   bool // its name stands in the tag
	quoted   bool
	optional bool
	omitsNil bool // where it would be null, it is left out
}

// fieldsOf lists what encoding/json makes of a struct: of fields with the same name the one that is less deep counts, of those
// the one that is named by its tag, and if that leaves several, none.
func fieldsOf(t reflect.Type) []field {
	var all []field
	collect(t, nil, false, map[reflect.Type]bool{}, &all)
	slices.SortStableFunc(all, func(a, b field) int {
		switch {
		case a.name != b.name:
			return strings.Compare(a.name, b.name)
		case len(a.index) != len(b.index):
			return len(a.index) - len(b.index)
		case a.tagged != b.tagged && a.tagged:
			return -1
		case a.tagged != b.tagged:
			return 1
		}
		return slices.Compare(a.index, b.index)
	})
	kept := all[:0]
	for i := 0; i < len(all); {
		j := i + 1
		for j < len(all) && all[j].name == all[i].name {
			j++
		}
		if j == i+1 || len(all[i+1].index) > len(all[i].index) || all[i].tagged && !all[i+1].tagged {
			kept = append(kept, all[i])
		}
		i = j
	}
	slices.SortFunc(kept, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return kept
}

// collect adds the fields of a struct and of those that it embeds. within has the structs around, so that one that embeds itself
// has an end.
func collect(t reflect.Type, index []int, optional bool, within map[reflect.Type]bool, all *[]field) {
	if within[t] {
		return
	}
	within[t] = true
	defer delete(within, t)
	for i := range t.NumField() {
		f := t.Field(i)
		embedded := f.Type
		if embedded.Kind() == reflect.Pointer && f.Anonymous {
			embedded = embedded.Elem()
		}
		if !f.IsExported() && (!f.Anonymous || embedded.Kind() != reflect.Struct) {
			continue
		}
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !validName(name) {
			name = ""
		}
		at := append(slices.Clip(index), i)
		if f.Anonymous && name == "" && embedded.Kind() == reflect.Struct {
			collect(embedded, at, optional || f.Type.Kind() == reflect.Pointer, within, all)
			continue
		}
		out := field{name: name, typ: f.Type, index: at, tagged: name != "", optional: optional}
		if name == "" {
			out.name = f.Name
		}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "string":
				out.quoted = true
			case "omitempty", "omitzero":
				// What omitempty never leaves out is not optional.
				leaves := option == "omitzero" || f.Type.Kind() != reflect.Struct && (f.Type.Kind() != reflect.Array || f.Type.Len() == 0)
				out.optional = out.optional || leaves
				out.omitsNil = out.omitsNil || leaves
			}
		}
		*all = append(*all, out)
	}
}

// validName reports whether encoding/json takes a name from a tag.
func validName(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return name != ""
}
