package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// misfit tells a client what is wrong with its data, in JSON's terms. The texts of encoding/json name the server's
// types, and an UnmarshalJSON of the application may say anything.
func misfit(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("the data is not valid JSON at byte %d", e.Offset)
	}
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return "the data does not fit the method"
	}
	what := "the data"
	if e.Field != "" {
		what = fmt.Sprintf("field %q", e.Field)
	}
	got, _, _ := strings.Cut(e.Value, " ") // "number 1.5": the value may be long
	want := jsonName(e.Type)
	if want == jsonName(reflect.TypeFor[int]()) && got == "number" {
		return what + ": want a whole number within the range of the field"
	}
	return fmt.Sprintf("%s: want %s, got %s", what, want, article(got))
}

// jsonName is JSON's name for a value that fits t.
func jsonName(t reflect.Type) string {
	if t == nil {
		return "another value"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return jsonName(t.Elem())
	case reflect.Bool:
		return article("bool")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return article("number")
	case reflect.String:
		return article("string")
	case reflect.Struct, reflect.Map:
		return article("object")
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string in base64"
		}
		return article("array")
	}
	return "another value"
}

func article(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "object", "array":
		return "an " + kind
	}
	return "a " + kind
}
