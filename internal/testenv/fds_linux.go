package testenv

import (
	"os"
	"path/filepath"
	"slices"
)

// FDs lists the open file descriptors of this process, each as its number and what it refers to, such as
// "7 socket:[41270]". Off Linux it returns nil.
func FDs() []string {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		panic(err) // A check that cannot look must not pass.
	}
	var fds []string
	for _, e := range entries {
		// The descriptor that read the directory is closed by now.
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			fds = append(fds, e.Name()+" "+to)
		}
	}
	slices.Sort(fds)
	return fds
}
