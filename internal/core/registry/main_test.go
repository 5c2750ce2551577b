package registry

import (
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// peer is a connection.
type peer struct {
	entry Entry[*peer]
	user  string
}

func entryOf(p *peer) *Entry[*peer] { return &p.entry }

func userOf(p *peer) string { return p.user }
