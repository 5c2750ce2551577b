package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gohubkit/hubkit/bench/internal/machine"
	"github.com/gohubkit/hubkit/bench/internal/result"
)

// record is a test that was run, or that part of it which one call of this program has run.
type record struct {
	// Run is when that call began.
	Run     string          `json:"run,omitempty"`
	Test    string          `json:"test"`
	Kind    string          `json:"kind"`
	Title   string          `json:"title"`
	Heading string          `json:"heading"`
	Rounds  int             `json:"rounds"`
	Machine machine.Machine `json:"machine"`
	// Peers in the order of the table, and which version of which module they are on.
	Peers    []string          `json:"peers"`
	Versions map[string]string `json:"versions"`
	Results  []result.Result   `json:"results"`

	// runs are the numbers on the page of those runs that a server's rounds are from; of merged records only.
	runs map[string][]int
}

// records are kept in a folder, so that tests may be run one by one, and in several runs.
type records struct {
	dir string
	all []record
	// more adds to what a test has from other runs, and does not take its place.
	more bool
}

func (r *records) file(ext string) string { return filepath.Join(r.dir, "peers."+ext) }

// open reads what the folder has.
func open(dir string) (*records, error) {
	r := &records{dir: dir}
	data, err := os.ReadFile(r.file("json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(data, &r.all)
}

// put takes a record in place of what the same run has put before, or of all that the test has, and writes all there are:
// figures, page and chart.
func (r *records) put(one record) error {
	r.all = slices.DeleteFunc(r.all, func(other record) bool {
		return other.Test == one.Test && (!r.more || other.Run == one.Run)
	})
	r.all = append(r.all, one)
	slices.SortStableFunc(r.all, func(a, b record) int { return position(a.Test) - position(b.Test) })
	data, err := json.MarshalIndent(r.all, "", "\t")
	if err != nil {
		return err
	}
	merged, _ := merge(r.all)
	chart, err := drawChart(merged)
	if err != nil {
		return err
	}
	for ext, content := range map[string][]byte{"json": append(data, '\n'), "md": []byte(page(r.all)), "svg": chart} {
		//nolint:gosec // for everybody to read
		if err := os.WriteFile(r.file(ext), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// position of a test in the list of all; one that is gone comes last.
func position(name string) int {
	i := slices.IndexFunc(tests, func(t test) bool { return t.name == name })
	if i < 0 {
		return len(tests)
	}
	return i
}

// versions asks go which version each peer's library has.
func versions(ctx context.Context, ps []peer) (map[string]string, error) {
	args := []string{"list", "-m", "-f", "{{.Path}} {{.Version}}"}
	for _, p := range ps {
		if p.module != "" && !slices.Contains(args, p.module) {
			args = append(args, p.module)
		}
	}
	out, err := exec.CommandContext(ctx, "go", args...).Output() //nolint:gosec // modules of the table of peers
	if err != nil {
		return nil, err
	}
	known := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		known[path] = version
	}
	vs := make(map[string]string)
	for _, p := range ps {
		if p.module != "" {
			vs[p.name] = p.module + " " + known[p.module]
		}
	}
	return vs, nil
}
