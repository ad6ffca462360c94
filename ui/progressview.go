package ui

import (
	"fmt"
	"slices"
	"time"

	"hiddenbackup/core/progress"
)

// progressView is a progress in words.
type progressView struct {
	phase, amount, time, rate, current, problems string
	fraction                                     float64 // 0 to 1; -1: unknown
}

// viewOf puts a progress into words.
func viewOf(s progress.Status) progressView {
	v := progressView{phase: phaseText(s.Phase), fraction: -1}
	switch {
	case s.FilesTotal > 0:
		v.amount = fmt.Sprintf(N("%s of %s file, %s of %s", "%s of %s files, %s of %s", s.FilesTotal),
			count(min(s.Files, s.FilesTotal)), count(s.FilesTotal), size(s.Bytes), size(max(s.Bytes, s.BytesTotal)))
	case s.EntriesTotal > 0:
		v.amount = fmt.Sprintf(T("%s of %s"), count(s.Entries), count(s.EntriesTotal))
	case s.Files > 0:
		v.amount = files(s.Files)
	case s.Entries > 0:
		v.amount = count(s.Entries)
	}
	stored := s.Bytes - s.Sending
	if s.BytesTotal > 0 && s.Bytes >= s.BytesTotal && s.Sending > 0 {
		v.amount = lines(v.amount, fmt.Sprintf(T("Everything is read; %s are on their way to the servers."), size(s.Sending)))
	}
	switch {
	case s.BytesTotal > 0:
		v.fraction = float64(reached(s)) / float64(max(s.BytesTotal, reached(s)))
	case s.EntriesTotal > 0:
		v.fraction = min(float64(s.Entries)/float64(s.EntriesTotal), 1)
	}
	switch {
	case s.Left >= 0 && stored < s.BytesTotal:
		v.time = fmt.Sprintf(T("About %s left"), span(roughly(s.Left)))
	case moves(s.Phase) && stored < s.BytesTotal:
		v.time = T("Estimating the time left…")
	case s.Elapsed > 0:
		v.time = fmt.Sprintf(T("%s so far"), span(s.Elapsed))
	}
	switch {
	case s.Rate > 0:
		v.rate = fmt.Sprintf(T("Now: %s"), rateText(s.Rate))
	case moves(s.Phase) && s.Bytes > 0:
		v.rate = T("Now: waiting for the servers")
	}
	v.current = short(s.Current, 70)
	if s.Problems > 0 {
		v.problems = fmt.Sprintf(N("%s problem so far; it is named at the end.", "%s problems so far; they are named at the end.", s.Problems), count(s.Problems))
	}
	return v
}

// moves reports whether content goes between this computer and the grid.
func moves(p progress.Phase) bool { return p == progress.PhaseFiles || p == progress.PhaseRestore }

// reached is how far the bars stand. What is on its way to the servers counts
// half: a full bar would lie while a slow line still sends, and an empty one
// would frighten.
func reached(s progress.Status) int64 { return max(s.Bytes-s.Sending/2, 0) }

// roughly is a time left in the steps in which it can be known: a number that
// changes each second promises too much.
func roughly(d time.Duration) time.Duration {
	step := 10 * time.Second
	switch {
	case d > 20*time.Minute:
		step = 5 * time.Minute
	case d > time.Minute:
		step = time.Minute
	}
	return max((d+step/2)/step*step, step)
}

// rateText is a speed in words.
func rateText(rate float64) string { return fmt.Sprintf(T("%s/s"), size(int64(rate))) }

// highestText says what the top of the picture of the rates stands for.
func highestText(rates []float64) string {
	return fmt.Sprintf(T("Speed in the last minute, up to %s"), rateText(slices.Max(append([]float64{0}, rates...))))
}

// phaseText says in words what a run does now. The words are those of the
// phase itself, which translators find there; its first letter is made large.
func phaseText(p progress.Phase) string {
	if p == "" {
		return T("Starting")
	}
	return capital(T(string(p)))
}

// bar is what is done of the parts of one name, 0 to 1.
type bar struct {
	name string
	done float64
}

// barsOf says how far each bar is when so many bytes of all are done: the parts
// are done one after another.
func barsOf(done int64, parts []part) (bars []bar) {
	sizes := make(map[string]int64)
	doneOf := make(map[string]int64)
	all := int64(0) // 0: not counted yet
	for _, p := range parts {
		if _, known := sizes[p.Name]; !known {
			bars = append(bars, bar{name: p.Name})
		}
		sizes[p.Name] += p.Bytes
		all += p.Bytes
		doneOf[p.Name] += min(max(done, 0), p.Bytes)
		done -= p.Bytes
	}
	for i, b := range bars {
		if sizes[b.name] > 0 {
			bars[i].done = float64(doneOf[b.name]) / float64(sizes[b.name])
		} else if all > 0 && done >= 0 {
			bars[i].done = 1
		}
	}
	return bars
}

// note keeps the rate for the picture of it.
func (t *task) note(s progress.Status) {
	t.rates = append(t.rates, s.Rate)
	if extra := len(t.rates) - mostRates; extra > 0 {
		t.rates = t.rates[extra:]
	}
}
