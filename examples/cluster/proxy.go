package main

import (
	"embed"
	"os"
	"path/filepath"
	"strings"
)

// conf holds the configurations as they would be used. They say where the site is and its nodes are at the
// default -addr.
//
//go:embed conf
var conf embed.FS

// proxy is a load balancer.
type proxy struct {
	program string
	files   map[string]string // of conf, by the name to write them under
	args    func(dir string) []string
}

var proxies = map[string]proxy{
	"nginx-cookie":  nginx("cookie.conf"),
	"nginx-ip_hash": nginx("ip_hash.conf"),
	"haproxy": {
		program: "haproxy",
		files:   map[string]string{"haproxy.cfg": "haproxy.cfg"},
		args:    func(dir string) []string { return []string{"-db", "-f", filepath.Join(dir, "haproxy.cfg")} },
	},
}

func nginx(hubs string) proxy {
	return proxy{
		program: "nginx",
		files: map[string]string{
			"nginx.conf": "nginx/nginx.conf",
			"site.conf":  "nginx/site.conf",
			"hubs.conf":  "nginx/" + hubs,
		},
		args: func(dir string) []string { return []string{"-p", dir, "-c", "nginx.conf", "-e", "stderr"} },
	}
}

// write puts the configuration into dir, with the addresses that are used in place of the default ones.
func (p proxy) write(dir, site string, nodes []string) error {
	there := []string{"127.0.0.1:8090", site}
	for i, addr := range nodes {
		there = append(there, "127.0.0.1:809"+string(rune('1'+i)), addr)
	}
	place := strings.NewReplacer(there...)
	for name, file := range p.files {
		text, err := conf.ReadFile("conf/" + file)
		if err != nil {
			return err
		}
		//nolint:gosec // nginx's workers, who may be another user, read beside them.
		if err := os.WriteFile(filepath.Join(dir, name), []byte(place.Replace(string(text))), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// start starts the proxy on what write has left in dir.
func (p proxy) start(dir string, ended chan<- *process) (*process, error) {
	path, err := find(p.program)
	if err != nil {
		return nil, err
	}
	return launch(p.program, ended, path, p.args(dir)...)
}
