//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "connect: needs epoll, which only Linux has")
	os.Exit(1)
}
