// Command stormplot draws what package storm simulates: 100,000 clients dropped together, and the handshakes that reach
// the server afterwards, with what hubkit does about it and without.
//
//	go run . -o ../../docs/storm.svg
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "storm.svg", "the file to write")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	c, err := canvas()
	if err == nil {
		err = write(*out, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stormplot:", err)
		os.Exit(1)
	}
}
