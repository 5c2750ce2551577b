package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain makes the test binary a server, or a process that computes, where it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "-serve" || os.Args[1] == "-burn") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-procs", "2", "-time", "300ms", "-rounds", "2", "-tries", "1", "-task", "1ms"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"idle", "another process", "default workers", "a worker a processor", "no pool"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no row %q in\n%s", want, &out)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"-procs", "many"}, {"-time", "0s"}, {"-rounds", "0"}, {"-tries", "0"}, {"-serve", "?"}} {
		if err := run(t.Context(), args, nil, t.Output()); err == nil {
			t.Errorf("run(%q) = nil", args)
		}
	}
}
