package broker

// Position is a place in a room's history. Within an epoch, offsets count from 1 without a hole. The epoch
// changes when stored data was lost. Positions of different epochs cannot be compared. The zero Position means
// "no position".
type Position struct {
	Epoch  string `json:"epoch,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p == Position{} }
