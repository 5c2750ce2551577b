package plan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Thresholds are what a test must hold; nil ones are not asked for.
type Thresholds struct {
	ConnectP99, DeliveryP99, PingP99   *time.Duration
	Failed, Loss, Closed, Errors, Late *Amount
}

// An Amount is a number, or a share in percent.
type Amount struct {
	Value   float64
	Percent bool
}

// ParseAmount reads "12" or "0.5%".
func ParseAmount(s string) (Amount, error) {
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0) || percent && v > 100 {
		return Amount{}, errors.New(`not a number like "12" or a share like "0.5%"`)
	}
	return Amount{v, percent}, nil
}

// Holds reports whether n of all is at most a.
func (a Amount) Holds(n, all int64) bool {
	if a.Percent {
		return float64(n)*100 <= a.Value*float64(all)
	}
	return float64(n) <= a.Value
}

func (a Amount) String() string {
	s := strconv.FormatFloat(a.Value, 'f', -1, 64)
	if a.Percent {
		return s + " %"
	}
	return s
}

func amountVar(to **Amount) func(string) error {
	return func(s string) error {
		a, err := ParseAmount(s)
		*to = &a
		return err
	}
}

func durationVar(to **time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err == nil && d <= 0 {
			err = fmt.Errorf("%v is not positive", d)
		}
		*to = &d
		return err
	}
}
