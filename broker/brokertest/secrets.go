package brokertest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/gohubkit/hubkit/broker"
)

var secretChecks = []check{{"Secrets", hasSecrets, checkSecrets}}

// All nodes get the secret that one of them brought first.
func checkSecrets(t testing.TB, w *world) {
	one, other := w.pair()
	name := w.room("secret")
	var wg sync.WaitGroup
	var got [20][]byte
	for i := range got {
		n := []*node{one, other}[i%2]
		wg.Go(func() {
			var err error
			if got[i], err = n.Broker.(broker.Secrets).Secret(w.ctx, name, []byte{0, 0xff, byte(i)}); err != nil {
				t.Errorf("Secret: %v", err)
			}
		})
	}
	wg.Wait()
	for i, secret := range got {
		if !bytes.Equal(secret, got[0]) || len(secret) != 3 || secret[0] != 0 || secret[1] != 0xff {
			t.Errorf("call %d: secret %x, want that of the first, %x", i, secret, got[0])
		}
	}
	if secret, err := one.Broker.(broker.Secrets).Secret(w.ctx, w.room("another"), []byte("another")); err != nil || string(secret) != "another" {
		t.Errorf("another name: %q, %v", secret, err)
	}
}
