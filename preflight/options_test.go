package preflight_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gohubkit/hubkit/preflight"
)

func TestOptionFaults(t *testing.T) {
	tests := []struct {
		name string
		opts []preflight.Option
		want []string
	}{
		{"nil", []preflight.Option{nil}, []string{"option 0 is nil"}},
		{"reserve", []preflight.Option{preflight.WithReserve(-1)}, []string{"reserve is -1, must be 0 to 1000000000"}},
		{"target", []preflight.Option{preflight.WithTarget(0)}, []string{"target is 0, must be 1 to"}},
		{"bytes", []preflight.Option{preflight.WithConnBytes(-5, 1_000_000_001)}, []string{
			"user bytes of a connection is -5", "kernel bytes of a connection is 1000000001",
		}},
		{"no bytes", []preflight.Option{preflight.WithConnBytes(0, 0)}, []string{"costs no memory"}},
		{"files", []preflight.Option{preflight.WithFiles(nil)}, []string{"file system is nil"}},
		{"descriptors", []preflight.Option{preflight.WithDescriptorLimit(2, 1)}, []string{"soft limit 2 is above the hard limit 1"}},
		{"all", []preflight.Option{preflight.WithTarget(-1), preflight.WithReserve(-2), nil}, []string{
			"target is -1", "reserve is -2", "option 2 is nil",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := preflight.Check(tt.opts...)
			if !errors.Is(err, preflight.ErrOption) {
				t.Fatalf("Check: %v, want ErrOption", err)
			}
			if len(r.Limits) > 0 {
				t.Errorf("a report all the same: %v", r)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
		})
	}
}
