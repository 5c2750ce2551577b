package tstypes

import (
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
