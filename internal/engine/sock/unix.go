//go:build unix

package sock

// Supported reports whether Send and Recv do anything on this system.
const Supported = true
