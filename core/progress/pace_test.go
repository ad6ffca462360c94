package progress

import (
	"testing"
	"time"
)

// clock plays a run: what is done after a time, asked four times a second.
func clock(p *pace, from, to time.Duration, total int64, done func(time.Duration) int64, see func(at, left time.Duration)) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := from; at <= to; at += 250 * time.Millisecond {
		see(at, p.left(start.Add(at), done(at), total))
	}
}

// A hundred megabytes a second into memory, then what the line takes: she must
// not read “about 10 seconds left” and then wait an hour.
func TestTheFirstSecondsPromiseNothing(t *testing.T) {
	p := new(pace)
	clock(p, 0, known-time.Millisecond, 1e9, func(at time.Duration) int64 { return int64(1e8 * at.Seconds()) }, func(at, left time.Duration) {
		if left != -1 {
			t.Fatalf("after %s it says that %s are left", at, left)
		}
	})
}

func TestASteadyLineIsSaidAsItIs(t *testing.T) {
	p := new(pace)
	const total, rate = 1e9, 1e6 // 1000 s
	clock(p, 0, 999*time.Second, total, func(at time.Duration) int64 { return int64(rate * at.Seconds()) }, func(at, left time.Duration) {
		want := 1000*time.Second - at
		if at >= known && (left < want-2*time.Second || left > want+2*time.Second) {
			t.Fatalf("after %s it says %s, want %s", at, left, want)
		}
	})
	if len(p.marks) > mostMarks {
		t.Errorf("%d marks are kept", len(p.marks))
	}
}

// Over Tor packs are stored minutes apart.
func TestStepsDoNotMakeItJump(t *testing.T) {
	p := new(pace)
	const pack, every = 32 << 20, 100 * time.Second // two at once
	const total = 40 * pack
	before := time.Duration(-1)
	clock(p, 0, 3900*time.Second, total, func(at time.Duration) int64 { return pack * int64(at/every) }, func(at, left time.Duration) {
		if at < every && left != -1 {
			t.Fatalf("before anything was stored, after %s, it says %s", at, left)
		}
		if before >= 0 && left >= 0 {
			step, most := left-before, max(30*time.Second, before/50)
			if step > most || step < -most {
				t.Fatalf("after %s it jumps from %s to %s", at, before, left)
			}
		}
		if want := 4000*time.Second - at; at > 1000*time.Second && want > 300*time.Second && (left < want*2/3 || left > want*3/2) {
			t.Fatalf("after %s it says %s, want %s", at, left, want)
		}
		before = left
	})
}

// What stands already goes by at once: the rest does not.
func TestWhatGoesByQuicklySoonCountsNoMore(t *testing.T) {
	p := new(pace)
	done := func(at time.Duration) int64 { // 900 MB in 3 s, the rest at 100 kB/s
		if at < 3*time.Second {
			return int64(3e8 * at.Seconds())
		}
		return 9e8 + int64(1e5*(at-3*time.Second).Seconds())
	}
	clock(p, 0, 700*time.Second, 1e9, done, func(at, left time.Duration) {
		if want := 1003*time.Second - at; at > 400*time.Second && (left < want*4/5 || left > want*5/4) {
			t.Fatalf("after %s it says %s, want %s", at, left, want)
		}
	})
}

func TestNobodyKnowsWhenADeadLineEnds(t *testing.T) {
	p := new(pace)
	clock(p, 0, 20*time.Minute, 1e9, func(at time.Duration) int64 { return int64(1e6 * min(at, time.Minute).Seconds()) }, func(at, left time.Duration) {
		switch {
		case at == time.Minute && left < 0:
			t.Fatal("it says nothing while all is well")
		case at == 20*time.Minute && left >= 0:
			t.Fatalf("19 minutes after the last byte it says %s", left)
		}
	})
}
