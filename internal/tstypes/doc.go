// Package tstypes writes Go types as TypeScript: what a value looks like in JSON that encoding/json has written, or will read.
//
// Fields are named, left out, promoted and hidden as encoding/json does it. A value that may be nil, without omitempty or omitzero, may be null.
// A field that may be left out is optional. Types with a MarshalJSON of their own are unknown, but for time.Time; those with a
// MarshalText are strings. Numbers are numbers: TypeScript has no other, so that an int64 beyond 2^53 is not exact there.
package tstypes
