package preflight_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/gohubkit/hubkit/internal/testenv"
	"github.com/gohubkit/hubkit/preflight"
)

// childMode names the environment variable that turns the test binary into a program that checks
// its own limits.
const childMode = "PREFLIGHT_CHILD"

// account is what that program prints.
type account struct {
	Report preflight.Report
	// Opened is how many descriptors it could open after the check.
	Opened int
}

func TestMain(m *testing.M) {
	if os.Getenv(childMode) == "" {
		testenv.Main(m)
	}
	r, err := preflight.Check()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(account{r, openAll()})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
