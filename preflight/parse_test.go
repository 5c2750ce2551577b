package preflight

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"testing"
)

func TestParseNumbers(t *testing.T) {
	tests := []struct {
		in   string
		want []int64
		ok   bool
	}{
		{"", nil, true},
		{"1\n", []int64{1}, true},
		{" 32768\t60999\n", []int64{32768, 60999}, true},
		{"max", []int64{Unlimited}, true},
		{"4611686018427387903", []int64{1<<62 - 1}, true},
		{"4611686018427387904", []int64{Unlimited}, true},
		{"18446744073709551615", []int64{Unlimited}, true},
		{"18446744073709551616", nil, false},
		{"-1", nil, false},
		{"1 two", nil, false},
		{"0x10", nil, false},
	}
	for _, tt := range tests {
		got, err := parseNumbers(tt.in)
		if !slices.Equal(got, tt.want) || (err == nil) != tt.ok {
			t.Errorf("parseNumbers(%q) = %v, %v", tt.in, got, err)
		}
		if err != nil && !errors.Is(err, errMalformed) {
			t.Errorf("parseNumbers(%q): %v does not match errMalformed", tt.in, err)
		}
	}
}

func TestLookup(t *testing.T) {
	const s = "MemTotal: 16 kB\n\nTCP: inuse 5 mem 3\nUDP: inuse 1 mem 2\nlast"
	tests := []struct {
		line, word string
		want       int64
		ok         bool
	}{
		{"", "MemTotal:", 16, true},
		{"TCP:", "mem", 3, true},
		{"UDP:", "mem", 2, true},
		{"", "mem", 3, true},
		{"", "last", 0, false}, // nothing follows
		{"", "16", 0, false},   // not a number
		{"TCP:", "none", 0, false},
		{"RAW:", "mem", 0, false},
	}
	for _, tt := range tests {
		got, err := lookup(s, tt.line, tt.word)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("lookup(%q, %q) = %d, %v", tt.line, tt.word, got, err)
		}
	}
}

func TestColumn(t *testing.T) {
	tests := []struct {
		in   string
		want int64
		ok   bool
	}{
		{"Tcp: A B\nTcp: 1 2\n", 2, true},
		{"Ip: B\nIp: 9\nTcp: B\nTcp: 1\n", 1, true},
		{"Tcp: A B\nTcp: 1\n", 0, false},
		{"Tcp: A\nTcp: 1\nTcp: B\nTcp: 1\n", 0, false},
		{"Tcp: A B\n", 0, false},
		{"", 0, false},
	}
	for _, tt := range tests {
		got, err := column(tt.in, "Tcp:", "B")
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("column(%q) = %d, %v", tt.in, got, err)
		}
	}
}

func TestParseCgroups(t *testing.T) {
	tests := []struct {
		name, in string
		want     []cgroup
	}{
		{"v2", "0::/system.slice/hub.service\n", []cgroup{{2, "/system.slice/hub.service"}}},
		{"v1", "5:cpu:/a\n4:memory:/docker/x\n", []cgroup{{1, "/docker/x"}}},
		{"joined", "4:cpu,memory,pids:/x", []cgroup{{1, "/x"}}},
		{"hybrid", "4:memory:/x\n1:name=systemd:/y\n0::/z\n", []cgroup{{1, "/x"}, {2, "/z"}}},
		{"outside of the namespace", "0::/../../other\n", []cgroup{{2, "/other"}}},
		{"colon in the path", "0::/a:b\n", []cgroup{{2, "/a:b"}}},
		{"other controllers", "4:memoryx:/a\n3::/b\n", nil},
		{"garbage", "\n0:\nmemory\n", nil},
	}
	for _, tt := range tests {
		if got := parseCgroups(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("0::/a\n4:memory:/b", "mem")
	f.Add("TCP: inuse 5 mem 3", "mem")
	f.Add("Tcp: mem\nTcp: 5", "mem")
	f.Add("max 18446744073709551615 1", "")
	f.Fuzz(func(t *testing.T, s, word string) {
		for _, g := range parseCgroups(s) {
			if !path.IsAbs(g.path) || path.Clean(g.path) != g.path || g.version != 1 && g.version != 2 {
				t.Errorf("cgroup %+v", g)
			}
		}
		ns, _ := parseNumbers(s)
		for _, find := range []func() (int64, error){
			func() (int64, error) { return lookup(s, "", word) },
			func() (int64, error) { return lookup(s, word, word) },
			func() (int64, error) { return column(s, "Tcp:", word) },
		} {
			if n, err := find(); err == nil {
				ns = append(ns, n)
			}
		}
		for _, n := range ns {
			if n < Unlimited || n >= infinity {
				t.Errorf("%d from %q", n, s)
			}
		}
	})
}

func FuzzNumbersForPeople(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(-1234567))
	f.Add(int64(1 << 62))
	f.Fuzz(func(t *testing.T, n int64) {
		s := grouped(n)
		var plain []byte
		for _, c := range []byte(s) {
			if c != ',' {
				plain = append(plain, c)
			}
		}
		back, err := strconv.ParseInt(string(plain), 10, 64)
		if err != nil || back != n {
			t.Errorf("grouped(%d) = %q", n, s)
		}
		if n >= 0 && (powerOfTwo(n) < n || binary(n) == "") {
			t.Errorf("powerOfTwo(%d) = %d", n, powerOfTwo(n))
		}
	})
}
