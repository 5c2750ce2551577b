package rooms

import "testing"

// TestPagesOfANode: however many clients read histories at once, all their pages together have a bound, beside one small page
// each, and what is given back is there for others.
func TestPagesOfANode(t *testing.T) {
	var p pages
	total, lent := 0, []int(nil)
	for range 10_000 {
		n := p.lend(pageBytes)
		if n < smallPage || n > pageBytes {
			t.Fatalf("a page of %d bytes", n)
		}
		total += n
		lent = append(lent, n)
	}
	if most := pagesBytes + len(lent)*smallPage; total > most || total < pagesBytes/2 {
		t.Errorf("%d bytes lent, want at most %d", total, most)
	}
	if n := lent[len(lent)-1]; n != smallPage {
		t.Errorf("the last page has %d bytes, want %d", n, smallPage)
	}
	for _, n := range lent {
		p.lent.Add(int64(-n))
	}
	if n := p.lend(pageBytes); n != pageBytes {
		t.Errorf("afterwards a page has %d bytes, want %d", n, pageBytes)
	}
}
