package retain

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"hiddenbackup/core/snapshot"
)

// ErrRules: rules that keep nothing, or make no sense.
var ErrRules = errors.New("these keep rules keep nothing")

// Rules say which snapshots stay. Each counts by itself, and what one of them
// keeps stays. The zero value keeps nothing and is not valid.
//
// A day, a week (from Monday) or a month keeps the newest snapshot that was begun
// in it; those without a snapshot are not counted, so that after a pause the old
// ones do not all go at once. Newest is what has the highest number, whatever
// the clocks of the machines said.
//
// Rules are applied to each folder by itself: a snapshot of some folders never
// pushes out the last one that has the others.
type Rules struct {
	Last    int // the newest snapshots
	Daily   int
	Weekly  int
	Monthly int
	// Within keeps what was begun at most so long before the newest snapshot.
	Within time.Duration
}

// Validate reports rules that keep nothing, and negative numbers.
func (r Rules) Validate() error {
	for _, n := range []int{r.Last, r.Daily, r.Weekly, r.Monthly} {
		if n < 0 {
			return fmt.Errorf("%w: the number %d is negative", ErrRules, n)
		}
	}
	if r.Within < 0 {
		return fmt.Errorf("%w: the time span %v is negative", ErrRules, r.Within)
	}
	if r == (Rules{}) {
		return ErrRules
	}
	return nil
}

// Reason is why a snapshot stays.
type Reason string

// The reasons. The words are shown to people. The first four hold whatever the
// rules are, the rest are the rules.
const (
	Newest     Reason = "newest"
	Pinned     Reason = "pinned"
	Unreadable Reason = "unreadable"
	Unnamed    Reason = "not named"

	Last    Reason = "last"
	Within  Reason = "within"
	Daily   Reason = "daily"
	Weekly  Reason = "weekly"
	Monthly Reason = "monthly"
)

// period is a rule that keeps one snapshot of each of the last few spans of time.
type period struct {
	reason Reason
	most   int
	of     func(i snapshot.Info, begun time.Time) string
}

func (r Rules) periods() []period {
	return []period{
		{Last, r.Last, func(i snapshot.Info, _ time.Time) string { return fmt.Sprint(i.Sequence) }},
		{Daily, r.Daily, func(_ snapshot.Info, t time.Time) string { return t.Format(time.DateOnly) }},
		{Weekly, r.Weekly, func(_ snapshot.Info, t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%d", year, week)
		}},
		{Monthly, r.Monthly, func(_ snapshot.Info, t time.Time) string { return t.Format("2006-01") }},
	}
}

// Keep returns why each snapshot stays, by its number; those that do not are
// missing. Days begin and end as in zone.
func (r Rules) Keep(infos []snapshot.Info, zone *time.Location) map[uint64][]Reason {
	kept := make(map[uint64][]Reason)
	keep := func(i snapshot.Info, why Reason) {
		if !slices.Contains(kept[i.Sequence], why) {
			kept[i.Sequence] = append(kept[i.Sequence], why)
		}
	}
	for _, group := range byFolder(infos) {
		for _, p := range r.periods() {
			seen := make(map[string]bool)
			for _, i := range group {
				if span := p.of(i, i.Time.In(zone)); !seen[span] && len(seen) < p.most {
					seen[span] = true
					keep(i, p.reason)
				}
			}
		}
		for _, i := range group {
			if r.Within > 0 && group[0].Time.Sub(i.Time) <= r.Within {
				keep(i, Within)
			}
		}
	}
	return kept
}

// byFolder returns for each folder the snapshots that hold it, newest first.
func byFolder(infos []snapshot.Info) map[string][]snapshot.Info {
	newestFirst := slices.SortedFunc(slices.Values(infos), func(a, b snapshot.Info) int {
		if a.Sequence > b.Sequence {
			return -1
		}
		return 1
	})
	groups := make(map[string][]snapshot.Info)
	for _, i := range newestFirst {
		for _, f := range i.Folders {
			groups[f.Name] = append(groups[f.Name], i)
		}
	}
	return groups
}
