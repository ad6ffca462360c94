package ui

import (
	"fmt"

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
	case s.EntriesTotal > 0 && s.BytesTotal > 0:
		v.amount = fmt.Sprintf(T("%s of %s files and folders, %s of %s"), count(s.Entries), count(s.EntriesTotal), size(s.Bytes), size(s.BytesTotal))
	case s.EntriesTotal > 0:
		v.amount = fmt.Sprintf(T("%s of %s"), count(s.Entries), count(s.EntriesTotal))
	case s.Entries > 0:
		v.amount = count(s.Entries)
	}
	switch {
	case s.BytesTotal > 0:
		v.fraction = min(float64(s.Bytes)/float64(s.BytesTotal), 1)
	case s.EntriesTotal > 0:
		v.fraction = min(float64(s.Entries)/float64(s.EntriesTotal), 1)
	}
	switch {
	case s.Left >= 0 && s.Bytes < s.BytesTotal:
		v.time = fmt.Sprintf(T("About %s left"), span(s.Left))
	case s.Elapsed > 0:
		v.time = fmt.Sprintf(T("%s so far"), span(s.Elapsed))
	}
	if s.Rate > 0 {
		v.rate = fmt.Sprintf(T("%s/s"), size(int64(s.Rate)))
	}
	v.current = short(s.Current, 70)
	if s.Problems > 0 {
		v.problems = fmt.Sprintf(N("%s problem so far; it is named at the end.", "%s problems so far; they are named at the end.", s.Problems), count(s.Problems))
	}
	return v
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
	for _, p := range parts {
		if _, known := sizes[p.Name]; !known {
			bars = append(bars, bar{name: p.Name})
		}
		sizes[p.Name] += p.Bytes
		doneOf[p.Name] += min(max(done, 0), p.Bytes)
		done -= p.Bytes
	}
	for i, b := range bars {
		if sizes[b.name] > 0 {
			bars[i].done = float64(doneOf[b.name]) / float64(sizes[b.name])
		} else if done >= 0 {
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
