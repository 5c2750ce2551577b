//go:build unix

package web_test

import (
	"syscall"
	"testing"
)

// TestServerStops: a node that is stopped, and not killed, answers nothing. A user who looks at the page finds out soon.
func TestServerStops(t *testing.T) {
	t.Parallel()
	nodes := newNodes(t, "a", "b")
	w, ada, bob := openPages(t, nodes, "room:3")
	ada.Await(`page.got.length > 50`)
	nodes[0].signal(syscall.SIGSTOP)
	// What was on its way would be taken for a sign of life.
	ada.Eval(`new Promise((quiet) => {
		let got = -1;
		const timer = setInterval(() => {
			if (got === page.got.length) quiet(clearInterval(timer));
			got = page.got.length;
		}, 500);
	})`)
	ada.Eval(`document.dispatchEvent(new Event("visibilitychange"))`)
	ada.Await(status("waiting") + ` || ` + status("connecting"))
	bob.Await(status("open"))
	w.awaitMore(t, 50)
	nodes[0].signal(syscall.SIGCONT)
	ada.Await(status("open"))
	t.Logf("states %s", ada.Eval(`page.states`))
	check(t, w, 0, ada, bob)
}

func (n *node) signal(sig syscall.Signal) {
	n.t.Helper()
	if err := n.proc.Signal(sig); err != nil {
		n.t.Fatal(err)
	}
}
