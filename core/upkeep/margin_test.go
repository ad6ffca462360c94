package upkeep

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"hiddenbackup/tahoeclient"
)

func self(id string) string { return id }

func spread(servers ...string) map[string][]string {
	shares := make(map[string][]string)
	for i, s := range servers {
		shares[fmt.Sprint(i)] = append(shares[fmt.Sprint(i)], s)
	}
	return shares
}

// How many may vanish is what an owner decides by whether to wipe.
func TestMarginCountsTheWorstCase(t *testing.T) {
	operator := func(id string) string { return id[:1] }
	for name, c := range map[string]struct {
		shares map[string][]string
		holder func(string) string
		needed int
		want   int
	}{
		"six on six, any three":         {spread("a1", "b1", "c1", "d1", "e1", "f1"), self, 3, 3},
		"one share is missing":          {spread("a1", "b1", "c1", "d1", "e1"), self, 3, 2},
		"just enough":                   {spread("a1", "b1", "c1"), self, 3, 0},
		"too few":                       {spread("a1", "b1"), self, 3, 0},
		"none":                          {nil, self, 3, 0},
		"all on one server":             {spread("a1", "a1", "a1", "a1", "a1", "a1"), self, 3, 0},
		"one server has half":           {spread("a1", "a1", "a1", "b1", "c1", "d1"), self, 3, 1},
		"the same share twice":          {map[string][]string{"0": {"a1", "b1"}, "1": {"c1"}, "2": {"d1"}}, self, 3, 0},
		"every share twice":             {map[string][]string{"0": {"a1", "b1"}, "1": {"a1", "b1"}, "2": {"a1", "b1"}}, self, 3, 1},
		"three operators with two each": {spread("a1", "a2", "b1", "b2", "c1", "c2"), operator, 3, 1},
		"one operator has four":         {spread("a1", "a2", "a3", "a4", "b1", "c1"), operator, 3, 0},
		"an unknown operator":           {spread("a1", "b1", "c1"), func(string) string { return "" }, 1, -1},
	} {
		if got := Margin(c.shares, c.needed, c.holder); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Beyond a dozen servers the margin is a bound: it may promise less than the
// truth, never more.
func TestMarginOfManyServersIsNeverTooHigh(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		shares := make(map[string][]string)
		for i := range 14 {
			for range 1 + random.IntN(3) {
				shares[fmt.Sprint(i)] = append(shares[fmt.Sprint(i)], fmt.Sprint("s", random.IntN(14)))
			}
		}
		needed := 1 + random.IntN(8)
		margin := Margin(shares, needed, self)
		// Any so many must leave enough: try many ways of losing them.
		for range 50 {
			gone := make(map[string]bool)
			for len(gone) < margin {
				gone[fmt.Sprint("s", random.IntN(14))] = true
			}
			left := 0
			for _, servers := range shares {
				for _, s := range servers {
					if !gone[s] {
						left++
						break
					}
				}
			}
			if left < needed {
				t.Fatalf("margin %d, and without %v only %d of %d shares are left", margin, gone, left, needed)
			}
		}
	}
}

func TestOldVersionsOfTheDirectoryDoNotCount(t *testing.T) {
	h := tahoeclient.Health{ShareMap: map[string][]string{
		"seq9-aaaa-sh0": {"a"}, "seq9-aaaa-sh1": {"b"},
		"seq10-bbbb-sh0": {"c"}, "seq10-bbbb-sh1": {"d"}, "seq10-bbbb-sh2": {"e"},
	}}
	if got := currentShares(h); len(got) != 3 || got["seq10-bbbb-sh2"][0] != "e" {
		t.Errorf("%v", got)
	}
}

func TestSampleProvesWhatItSays(t *testing.T) {
	// The usual figure: 300 of very many find 1 % damage.
	if a := Prove(300, 1_000_000); a.Percent() > 1.0 || a.Percent() < 0.9 {
		t.Errorf("300 of a million find %.2f %%", a.Percent())
	}
	for _, c := range [][3]int{{4, 4, 1}, {3, 4, 2}, {1, 4, 4}, {0, 10, 10}, {18, 20, 2}, {1, 1, 1}, {0, 0, 0}} {
		if a := Prove(c[0], c[1]); a.Damaged != c[2] {
			t.Errorf("%d of %d find %d, want %d", c[0], c[1], a.Damaged, c[2])
		}
	}
	// Against counting: the chance that a sample of 10 of 40 misses d damaged.
	a := Prove(10, 40)
	missed := 1.0
	for i := range a.Damaged {
		missed *= float64(30-i) / float64(40-i)
	}
	before := missed * float64(40-a.Damaged+1) / float64(30-a.Damaged+1)
	if missed > 0.05 || before <= 0.05 || math.IsNaN(before) {
		t.Errorf("%d damaged are missed with %.3f, one fewer with %.3f", a.Damaged, missed, before)
	}
}
