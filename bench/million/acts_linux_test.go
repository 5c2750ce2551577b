package main

import "testing"

func TestChooseActs(t *testing.T) {
	names := func(acts []act) (s string) {
		for _, a := range acts {
			s += a.name + ";"
		}
		return s
	}
	for list, want := range map[string]string{
		"fanout":      "start;connect;fan-out;end;",
		"asked,beats": "start;connect;heartbeats;hubs ping all;fan-out meanwhile;end;",
	} {
		if got, err := chooseActs(list, new(trial).all(), false); err != nil || names(got) != want {
			t.Errorf("%s: %s, %v", list, names(got), err)
		}
	}
	if got, err := chooseActs("", new(trial).all(), false); err != nil || len(got) != len(new(trial).all()) {
		t.Errorf("all: %s, %v", names(got), err)
	}
	for _, list := range []string{"nonsense", "fanout,", "fanout,kil"} {
		if got, err := chooseActs(list, new(trial).all(), false); err == nil {
			t.Errorf("%s: %s", list, names(got))
		}
	}
	if got, err := chooseActs("", new(trial).all(), true); err != nil || names(got) != "start;connect;fan-out;small rooms;heartbeats;end;" {
		t.Errorf("streams: %s, %v", names(got), err)
	}
}
