package registry

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// cluster is the Claims of some nodes that reach each other.
type cluster []*Claims

// ask asks all nodes, in any order.
func (c cluster) ask(user string) (all []Claim) {
	for _, i := range rand.Perm(len(c)) {
		if rand.IntN(2) == 0 {
			runtime.Gosched()
		}
		all = append(all, c[i].Of(user)...)
	}
	return all
}

// come is one connection of a user, at a node. It returns those that came before it.
func (c cluster) come(node *Claims, user, conn string) []string {
	node.Begin(user, conn)
	node.Choose(user, conn, c.ask(user))
	for {
		if before, choosing := node.Before(user, conn, c.ask(user)); !choosing {
			return before
		}
		runtime.Gosched()
	}
}

func (c cluster) drop(user string, conns []string) {
	for _, conn := range conns {
		for _, node := range c {
			node.Drop(user, conn)
		}
	}
}

func (c cluster) len() (n int) {
	for _, node := range c {
		n += node.Len()
	}
	return n
}

// TestClaimsAtOnce: if connections of one user come at once at several nodes, exactly as many stay as may, whether the new ones
// are refused or the oldest are closed.
func TestClaimsAtOnce(t *testing.T) {
	const rounds, nodes, each = 5000, 3, 2
	for name, closing := range map[string]bool{"refuse": false, "close": true} {
		for _, most := range []int{1, 2, 4} {
			t.Run(fmt.Sprint(name, most), func(t *testing.T) {
				c := make(cluster, nodes)
				for i := range c {
					c[i] = new(Claims)
				}
				for round := range rounds {
					var all sync.WaitGroup
					for i := range nodes * each {
						all.Go(func() {
							node, conn := c[i%nodes], fmt.Sprintf("%d-%d", rand.IntN(1000), round*nodes*each+i)
							before := c.come(node, "ada", conn)
							excess := len(before) + 1 - most
							switch {
							case excess <= 0:
							case closing:
								c.drop("ada", before[:excess])
							default:
								node.Drop("ada", conn)
							}
						})
					}
					if all.Wait(); c.len() != most {
						t.Fatalf("round %d: %d connections, want %d", round, c.len(), most)
					}
					if !closing {
						for _, node := range c {
							node.users = nil
						}
					}
				}
			})
		}
	}
}

// TestClaimsInTurn: the oldest is first, and nothing is left of those that have ended.
func TestClaimsInTurn(t *testing.T) {
	var c Claims
	for i, conn := range []string{"c", "b", "a"} {
		if before, want := (cluster{&c}).come(&c, "ada", conn), []string{"c", "b"}[:i]; !slices.Equal(before, want) {
			t.Errorf("before %s came %v, want %v", conn, before, want)
		}
	}
	c.Begin("ada", "d")
	c.Begin("ada", "e")
	c.Choose("ada", "d", c.Of("ada"))
	if before, choosing := c.Before("ada", "d", c.Of("ada")); len(before) != 3 || !choosing {
		t.Errorf("before the fourth came %v, others to wait for: %v", before, choosing)
	}
	c.Drop("ada", "e")
	c.Choose("ada", "e", nil)
	c.Drop("bob", "never")
	for _, conn := range []string{"a", "b", "c", "d"} {
		c.Drop("ada", conn)
	}
	if c.Len() != 0 || len(c.users) != 0 {
		t.Errorf("%d left", c.Len())
	}
}
