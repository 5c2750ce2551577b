package admission

import (
	"math"
	"time"
)

// How even the return of clients is to be. See Spread.
const (
	spreadWindow = 100 * time.Millisecond
	spreadPeak   = 1.2
	spreadRisk   = 1e-3
	// Below leastLoad the return would take too long for the evenness, and above mostLoad the gate has too little left for
	// those who come unasked.
	leastLoad, mostLoad = 0.5, 0.9
	maxSpread           = 24 * time.Hour
)

// Spread returns the window over which so many clients are to return, each at a random time drawn evenly
// from it, to a cluster whose nodes together admit rate connections a second. It returns 0, which is no
// advice, where there are no clients or the rate is not positive and finite, and a day at most.
//
// The window is clients/(u·rate), where u leaves room for chance. For n clients, m = rate·0.1 s and
// independent arrivals, the number of arrivals that follow one of them within 100 ms is binomial with a mean of at
// most u·m. By Bernstein's inequality it exceeds x = 1.2·m - 1 with a probability of at most
// exp(-s²/(2·(u·m + s/3))), s = x - u·m, and the chance that it does so after any of the n is at most n
// times that. This is one in a thousand for
//
//	s = -2L/3 + √(4L²/9 + 2·L·x)    L = ln(1000·n)
//	u = (x - s)/m
//
// so that then no 100 ms, wherever they begin, see more than 1.2 times the rate. u is kept between 0.5 and
// 0.9. For 100,000 clients it is 0.78 at 2,000 a second, and reaches 0.9 at 4,200. Below 580 a second it
// would be less than 0.5: there 100 ms are too few arrivals to be even, and the gate, not the window, keeps the
// peak in bounds.
//
// For nodes among which a balancer draws at random, Spread(clients/nodes, rate/nodes) says the same
// for each of them.
func Spread(clients int, rate float64) time.Duration {
	if clients <= 0 || !(rate > 0) || math.IsInf(rate, 0) {
		return 0
	}
	seconds := float64(clients) / (rate * load(float64(clients), rate))
	if seconds >= maxSpread.Seconds() {
		return maxSpread
	}
	return time.Duration(seconds * float64(time.Second))
}

// load is u of the formula.
func load(clients, rate float64) float64 {
	m := rate * spreadWindow.Seconds()
	x := spreadPeak*m - 1
	if x <= 0 {
		return leastLoad
	}
	l := math.Log(clients / spreadRisk)
	s := -2*l/3 + math.Sqrt(4*l*l/9+2*l*x)
	return min(max((x-s)/m, leastLoad), mostLoad)
}
