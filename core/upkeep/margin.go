package upkeep

import (
	"math"
	"slices"
	"strings"

	"hiddenbackup/tahoeclient"
)

// exact is up to how many holders every way of losing some is tried.
const exact = 12

// Margin returns how many holders may vanish, whichever they are, before fewer
// than needed different shares are left; 0 also when that is so already. shares
// says which servers hold each share, holder who keeps a server: the server
// itself or its operator. If holder knows nobody ("") for any server, the result
// is -1. For more than a dozen holders it is a lower bound.
func Margin(shares map[string][]string, needed int, holder func(serverID string) string) int {
	var names []string
	held := make([]uint64, 0, len(shares)) // for each share, the set of its holders
	for _, servers := range shares {
		set := uint64(0)
		for _, server := range servers {
			name := holder(server)
			if name == "" {
				return -1
			}
			i := slices.Index(names, name)
			if i < 0 {
				i = len(names)
				names = append(names, name)
			}
			if i < 64 {
				set |= 1 << i
			}
		}
		held = append(held, set)
	}
	left := func(gone uint64) (n int) {
		for _, set := range held {
			if set&^gone != 0 {
				n++
			}
		}
		return n
	}
	if needed <= 0 || left(0) < needed {
		return 0
	}
	if len(names) > exact {
		return lowerBound(held, min(len(names), 64), needed)
	}
	fewest := len(names) // that must vanish for the object to be lost
	for gone := uint64(0); gone < 1<<len(names); gone++ {
		if n := ones(gone); n < fewest && left(gone) < needed {
			fewest = n
		}
	}
	return max(fewest-1, 0)
}

// lowerBound takes each holder to destroy all shares it has a part in, the
// largest first.
func lowerBound(held []uint64, holders, needed int) int {
	parts := make([]int, holders)
	for _, set := range held {
		for i := range parts {
			if set&(1<<i) != 0 {
				parts[i]++
			}
		}
	}
	slices.Sort(parts)
	left, n := len(held), 0
	for _, p := range slices.Backward(parts) {
		if left -= p; left < needed {
			break
		}
		n++
	}
	return n
}

func ones(set uint64) (n int) {
	for ; set != 0; set &= set - 1 {
		n++
	}
	return n
}

// currentShares are the shares of an object's newest version. Those of a
// mutable object carry the version in their names, as in seq4-ghys-sh2.
func currentShares(h tahoeclient.Health) map[string][]string {
	newest, current := "", make(map[string][]string)
	for name := range h.ShareMap {
		if version, _, mutable := strings.Cut(name, "-sh"); mutable && later(version, newest) {
			newest = version
		}
	}
	for name, servers := range h.ShareMap {
		if version, _, mutable := strings.Cut(name, "-sh"); !mutable || version == newest {
			current[name] = servers
		}
	}
	return current
}

// later compares versions by number, which have no leading zeros.
func later(a, b string) bool {
	if len(a) != len(b) {
		na, _, _ := strings.Cut(a, "-")
		nb, _, _ := strings.Cut(b, "-")
		if len(na) != len(nb) {
			return len(na) > len(nb)
		}
	}
	return a > b
}

// Assurance is what a faultless random sample proves.
type Assurance struct {
	Sampled, Of int
	// Damaged is the smallest number of damaged packs that the sample would
	// have found with a probability of at least 95 %.
	Damaged int
}

// confidence is the probability people usually ask for.
const confidence = 0.95

// Prove returns what n faultless packs of total, drawn without return, prove.
func Prove(n, total int) Assurance {
	a := Assurance{Sampled: n, Of: total, Damaged: total}
	if n <= 0 || total <= 0 {
		return a
	}
	missed := 0.0 // logarithm of the probability to miss all of d damaged ones
	for d := 1; d <= total; d++ {
		free := total - n - d + 1 // places for the d-th damaged one outside the sample
		if free <= 0 {
			a.Damaged = d
			return a
		}
		missed += math.Log(float64(free)) - math.Log(float64(total-d+1))
		if missed <= math.Log(1-confidence) {
			a.Damaged = d
			return a
		}
	}
	return a
}

// Percent is Damaged as a share of all.
func (a Assurance) Percent() float64 {
	if a.Of == 0 {
		return 0
	}
	return 100 * float64(a.Damaged) / float64(a.Of)
}
