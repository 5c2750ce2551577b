package hub

import (
	"math/bits"
	"testing"
	"unsafe"
)

// TestConnSize: a Conn fits the allocator's class of 288 bytes. The next is 32 bytes larger, of which a million connections
// have a million.
func TestConnSize(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); bits.UintSize == 64 && size > 288 {
		t.Errorf("a Conn has %d bytes", size)
	}
}
