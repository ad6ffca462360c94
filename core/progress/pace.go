package progress

import (
	"math"
	"time"
)

const (
	// known is how long a phase has to last before anything is said of its end:
	// the first packs are filled at the speed of the disk.
	known = 10 * time.Second
	// lately is the least that the pace looks back. Packs are stored in steps of
	// 16 MiB, minutes apart on a slow line.
	lately = 2 * time.Minute
	// calm is how slowly what is said follows what is reckoned.
	calm = 20 * time.Second
	// mostMarks bounds the memory of a run of days.
	mostMarks = 128
)

// pace reckons how long a phase still takes. It looks back over the later half
// of the phase, because unchanged files and those that stand already go by much
// faster than the rest, and often come first.
type pace struct {
	marks   []sample      // what was done when, the oldest first
	spacing time.Duration // of the marks
	said    time.Duration // last; -1: nothing
	at      time.Time     // of it
}

// left says how long it takes until done is total, -1 while nobody can know.
func (p *pace) left(now time.Time, done, total int64) time.Duration {
	if len(p.marks) == 0 {
		p.spacing, p.said = time.Second, -1
	}
	if n := len(p.marks); n == 0 || now.Sub(p.marks[n-1].at) >= p.spacing {
		p.marks = append(p.marks, sample{now, done})
	}
	if len(p.marks) > mostMarks {
		for i := range mostMarks / 2 {
			p.marks[i] = p.marks[2*i]
		}
		p.marks, p.spacing = p.marks[:mostMarks/2], 2*p.spacing
	}
	elapsed := now.Sub(p.marks[0].at)
	back := max(lately, elapsed/2)
	from := p.marks[0]
	for _, m := range p.marks[1:] {
		if now.Sub(m.at) < back {
			break
		}
		from = m
	}
	moved, left := done-from.bytes, total-done
	if elapsed < known || moved <= 0 || left < 0 {
		p.said = -1
		return -1
	}
	reckoned := min(float64(left)/float64(moved)*float64(now.Sub(from.at)), math.MaxInt64/2)
	if p.said < 0 {
		p.said = time.Duration(reckoned)
	} else {
		// The time that went by is taken off; what is wrong goes little by little.
		passed := now.Sub(p.at)
		said := max(float64(p.said-passed), 0)
		said += (reckoned - said) * (1 - math.Exp(-float64(passed)/float64(calm)))
		p.said = time.Duration(said)
	}
	p.at = now
	return p.said
}
