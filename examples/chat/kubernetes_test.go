package main

import (
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestKubernetesDeployment: deploy/kubernetes starts this program with flags that it has, gives it time to end, and asks for paths
// that it serves.
func TestKubernetesDeployment(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := func(pattern string) (found []string) {
		for _, m := range regexp.MustCompile(`(?m)`+pattern).FindAllStringSubmatch(string(text), -1) {
			found = append(found, m[1])
		}
		if len(found) == 0 {
			t.Fatalf("there is no %s", pattern)
		}
		return found
	}
	conf, err := parse(all(`^ +- (-\w+=\S+)$`))
	if err != nil || conf.addr == "" || conf.redis == "" || conf.node == "" || conf.drain <= 0 {
		t.Fatalf("%+v, %v", conf, err)
	}
	seconds := func(pattern string) time.Duration {
		n, err := strconv.Atoi(all(pattern)[0])
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(n) * time.Second
	}
	has := seconds(`^ +terminationGracePeriodSeconds: (\d+)$`)
	if need := seconds(`sleep: \{seconds: (\d+)\}$`) + conf.drain + drainSlack; has < need {
		t.Errorf("it has %v to end, and needs %v", has, need)
	}
	s := startServer(t)
	for _, path := range all(`httpGet: \{path: /([^,]+), `) {
		if status, body, _ := s.get(path); status != http.StatusOK {
			t.Errorf("GET /%s: %d %s", path, status, body)
		}
	}
}
