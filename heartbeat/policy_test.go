package heartbeat_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/heartbeat"
)

func TestValidate(t *testing.T) {
	const s = time.Second
	half := heartbeat.Disabled()
	half.Interval = s
	tests := []struct {
		name   string
		policy heartbeat.Policy
		want   []string // faults; none: valid
	}{
		{"default", heartbeat.Default(), nil},
		{"disabled", heartbeat.Disabled(), nil},
		{"least", heartbeat.Policy{Interval: time.Millisecond, Timeout: time.Millisecond}, nil},
		{"longest timeout", heartbeat.Policy{Interval: s, Timeout: s}, nil},
		{"timeout longer", heartbeat.Policy{Interval: s, Timeout: s + 1}, []string{"timeout is 1.000000001s"}},
		{"disabled, but", half, []string{"disabled, but times are set"}},
		{"zero", heartbeat.Policy{}, []string{"interval is 0s", "timeout is 0s"}},
		{"all", heartbeat.Policy{Interval: -1, Timeout: 1, Tick: -1}, []string{"interval is -1ns", "timeout is 1ns", "tick is -1ns"}},
		{"short tick", heartbeat.Policy{Interval: s, Timeout: s, Tick: 1}, []string{"tick is 1ns"}},
		{"long tick", heartbeat.Policy{Interval: 9 * s, Timeout: s, Tick: 2 * s}, []string{"tick is 2s"}},
		{"too many ticks", heartbeat.Policy{Interval: 900 * s, Timeout: s, Tick: time.Millisecond}, []string{"900000 ticks"}},
		{"too many ticks by default", heartbeat.Policy{Interval: 24 * time.Hour, Timeout: s}, []string{"8640000 ticks"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.policy.Validate()
			m, newErr := heartbeat.NewMonitor(tt.policy)
			if m != nil {
				m.Stop()
			}
			if tt.want == nil {
				if err != nil || newErr != nil {
					t.Fatalf("Validate = %v, NewMonitor = %v", err, newErr)
				}
				return
			}
			if !errors.Is(err, heartbeat.ErrPolicy) || !errors.Is(newErr, heartbeat.ErrPolicy) || m != nil {
				t.Fatalf("Validate = %v, NewMonitor = %v, %v", err, m, newErr)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not tell of %q", err, w)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tt.want) {
				t.Errorf("%d faults, want %d: %v", got, len(tt.want), err)
			}
		})
	}
}

func TestMaxSilence(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		policy heartbeat.Policy
		want   time.Duration
	}{
		{heartbeat.Default(), 35*time.Second + 200*ms},
		{heartbeat.Policy{Interval: 100 * ms, Timeout: 50 * ms}, 152 * ms},
		{heartbeat.Policy{Interval: 25 * ms, Timeout: 10 * ms, Tick: 10 * ms}, 60 * ms},
		{heartbeat.Disabled(), 0},
		{heartbeat.Policy{}, 0},
	} {
		if got := tt.policy.MaxSilence(); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.policy, got, tt.want)
		}
	}
	if heartbeat.Disabled().Enabled() || !heartbeat.Default().Enabled() {
		t.Error("Enabled")
	}
}
