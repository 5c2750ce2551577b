package storm

import "time"

// Peak returns the most that any window of a width sees, wherever it begins. times must be in order.
func Peak(times []time.Duration, width time.Duration) int {
	peak, first := 0, 0
	for i, t := range times {
		for t-times[first] >= width {
			first++
		}
		peak = max(peak, i-first+1)
	}
	return peak
}

// Count returns how many fall into each of the windows [0, width), [width, 2·width) and so on, up to the last
// that has any. times must be in order.
func Count(times []time.Duration, width time.Duration) []int {
	var counts []int
	for _, t := range times {
		for len(counts) <= int(t/width) {
			counts = append(counts, 0)
		}
		counts[t/width]++
	}
	return counts
}
