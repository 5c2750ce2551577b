package hub

import (
	"strconv"
	"testing"
	"unsafe"
)

// TestConnSize: 288 bytes is a size class of the allocator; one more costs 32 for each connection.
func TestConnSize(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); strconv.IntSize == 64 && size > 288 {
		t.Errorf("a Conn takes %d bytes, want 288 at the most", size)
	}
}
