package broker

// Position is a place in a room's history. Offsets count from 1 without a hole as long as the epoch
// is the same; the epoch changes when the stored data was lost, and positions of different epochs
// cannot be compared. The zero Position is "no position".
type Position struct {
	Epoch  string `json:"epoch,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p == Position{} }
