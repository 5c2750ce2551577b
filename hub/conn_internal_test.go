package hub

import (
	"math/bits"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// TestConnSize: a Conn fills the allocator's class of 224 bytes. The next is 16 bytes larger, of which a million connections
// have a million. The table in DESIGN.md has the same fields and sizes, and misses none.
func TestConnSize(t *testing.T) {
	if bits.UintSize != 64 {
		return // the table is that of 64 bits
	}
	if size := unsafe.Sizeof(Conn{}); size != 224 {
		t.Errorf("a Conn has %d bytes, want 224", size)
	}
	design, err := os.ReadFile("../DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(design), "| field of `Conn` |")
	table, _, _ = strings.Cut(table, "\n\n")
	typ, listed, sum := reflect.TypeFor[Conn](), 0, 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\| ([0-9]+) \\|").FindAllStringSubmatch(table, -1) {
		size := uintptr(0)
		want, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.SplitSeq(row[1], ", ") {
			f, ok := typ.FieldByName(strings.Trim(name, "`"))
			if !ok {
				t.Errorf("DESIGN.md has a field %s, which Conn has not", name)
				continue
			}
			size += f.Type.Size()
			listed++
		}
		if size != uintptr(want) {
			t.Errorf("%s: %d bytes, DESIGN.md says %d", row[1], size, want)
		}
		sum += want
	}
	if listed != typ.NumField() || sum != 224 {
		t.Errorf("DESIGN.md lists %d of %d fields, with %d bytes", listed, typ.NumField(), sum)
	}
}
