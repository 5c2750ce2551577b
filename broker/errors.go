package broker

import (
	"errors"
	"fmt"
	"net"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrUnavailable matches every failure to reach the other nodes.
	ErrUnavailable = errors.New("broker: unavailable")
	// ErrClosed is returned after Close. It matches net.ErrClosed.
	ErrClosed = fmt.Errorf("broker: %w", net.ErrClosed)
	// ErrNotStarted is returned before Start.
	ErrNotStarted = errors.New("broker: not started")
	// ErrRoomName matches every error of CheckRoom.
	ErrRoomName = errors.New("broker: invalid room name")
)

// MaxRoomName is the longest room name, in bytes.
const MaxRoomName = 255

// CheckRoom returns an error if a room name is not valid. A name is 1 to 255 bytes of valid UTF-8 without
// control characters. The error matches ErrRoomName.
func CheckRoom(room string) error {
	switch {
	case room == "":
		return fmt.Errorf("%w: it is empty", ErrRoomName)
	case len(room) > MaxRoomName:
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrRoomName, len(room), MaxRoomName)
	case !utf8.ValidString(room):
		return fmt.Errorf("%w: it is not valid UTF-8", ErrRoomName)
	}
	for _, r := range room {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: it contains the control character %U", ErrRoomName, r)
		}
	}
	return nil
}
