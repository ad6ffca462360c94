package progress

import (
	"sync"
	"testing"
	"time"
)

func TestNilTrackerDoesNothing(t *testing.T) {
	var tr *Tracker
	tr.SetPhase(PhaseFiles)
	tr.SetTotals(1, 2)
	tr.Entry("x")
	tr.Add(1)
	tr.Moved(1)
	tr.Problem()
	if s := tr.Status(); s.Left != -1 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestStatusCountsAndEstimates(t *testing.T) {
	tr := new(Tracker)
	if s := tr.Status(); s.Elapsed != 0 || s.Left != -1 {
		t.Errorf("before the start: %+v", s)
	}
	tr.SetPhase(PhaseFiles)
	tr.SetTotals(10, 1000)
	tr.Entry("a")
	tr.Add(200)
	tr.Moved(50)
	tr.Problem()
	// Two seconds ago nothing was done: 100 bytes a second, 800 to go.
	tr.samples = []sample{{at: time.Now().Add(-2 * time.Second)}}
	s := tr.Status()
	if s.Entries != 1 || s.EntriesTotal != 10 || s.Bytes != 200 || s.Moved != 50 || s.Problems != 1 || s.Current != "a" {
		t.Errorf("%+v", s)
	}
	if s.Rate < 90 || s.Rate > 101 || s.Left != -1 {
		t.Errorf("rate %v, %v left, though nobody can know so early", s.Rate, s.Left)
	}
	// What is packed and not yet stored is still to be done.
	tr.Sending(150)
	tr.pace = pace{marks: []sample{{at: time.Now().Add(-10 * time.Second)}}, spacing: time.Second, said: -1}
	if s := tr.Status(); s.Sending != 150 || s.Left < 189*time.Second || s.Left > 192*time.Second {
		t.Errorf("50 of 1000 bytes in 10 seconds: %v left", s.Left)
	}
	tr.SetPhase(PhaseCommit)
	if s := tr.Status(); s.Rate != 0 {
		t.Errorf("the rate of the phase before shows: %v", s.Rate)
	}
}

func TestRateForgetsWhatIsLongAgo(t *testing.T) {
	tr := new(Tracker)
	tr.SetPhase(PhaseFiles)
	tr.Add(1_000_000)
	now := time.Now()
	tr.samples = []sample{{at: now.Add(-time.Hour)}, {at: now.Add(-25 * time.Second), bytes: 1_000_000}, {at: now.Add(-10 * time.Second), bytes: 1_000_000}}
	if s := tr.Status(); s.Rate != 0 {
		t.Errorf("a line that died still shows %v bytes a second", s.Rate)
	}
}

func TestTrackerIsSafeForManyGoroutines(t *testing.T) {
	tr := new(Tracker)
	tr.SetPhase(PhaseFiles)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 1000 {
				tr.Add(1)
				tr.Entry("x")
				tr.Status()
			}
		}()
	}
	wg.Wait()
	if s := tr.Status(); s.Bytes != 8000 || s.Entries != 8000 {
		t.Errorf("%+v", s)
	}
}
