package main

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/term"

	"hiddenbackup/core/progress"
)

const (
	lineInterval = 100 * time.Millisecond
	jsonInterval = time.Second
)

// watch shows t until the returned stop is called: a line on a terminal, an
// object a second with --json, nothing otherwise.
func (a *app) watch(t *progress.Tracker) (stop func()) {
	line := !a.json && !a.quiet && term.IsTerminal(int(a.err.Fd()))
	if !line && !a.json {
		return func() {}
	}
	interval := lineInterval
	if a.json {
		interval = jsonInterval
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-quit:
				if line {
					fmt.Fprint(a.err, "\r\x1b[K")
				}
				return
			}
			s := t.Status()
			if a.json {
				printJSON(a.out, progressObject(s))
				continue
			}
			width, _, err := term.GetSize(int(a.err.Fd()))
			if err != nil || width < 20 {
				width = 80
			}
			fmt.Fprintf(a.err, "\r%s\x1b[K", progressLine(s, width-1))
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// progressLine is what a terminal shows, at most width characters of it.
func progressLine(s progress.Status, width int) string {
	parts := []string{string(s.Phase)}
	switch {
	case s.EntriesTotal > 0:
		parts = append(parts, count(s.Entries)+" of "+count(s.EntriesTotal))
	case s.Entries > 0:
		parts = append(parts, count(s.Entries))
	}
	switch {
	case s.BytesTotal > 0:
		parts = append(parts, size(s.Bytes)+" of "+size(s.BytesTotal))
	case s.Bytes > 0:
		parts = append(parts, size(s.Bytes))
	}
	switch {
	case s.Rate > 0:
		parts = append(parts, size(int64(s.Rate))+"/s")
	case s.Bytes > 0 && (s.Phase == progress.PhaseFiles || s.Phase == progress.PhaseRestore):
		parts = append(parts, "waiting for the servers")
	}
	if s.Left >= 0 {
		parts = append(parts, clock(s.Left)+" left")
	} else if s.Elapsed > 0 {
		parts = append(parts, clock(s.Elapsed))
	}
	if s.Problems > 0 {
		parts = append(parts, plural(s.Problems, "problem", "problems"))
	}
	line := []rune(strings.Join(parts, "  "))
	return string(line[:min(len(line), width)])
}

func progressObject(s progress.Status) map[string]any {
	o := map[string]any{
		"type": "progress", "phase": s.Phase, "entries": s.Entries, "entries_total": s.EntriesTotal,
		"bytes": s.Bytes, "bytes_total": s.BytesTotal, "transferred": s.Moved,
		"problems": s.Problems, "elapsed": s.Elapsed.Seconds(), "rate": s.Rate,
		"current": shown(s.Current),
	}
	if s.Left >= 0 {
		o["left"] = s.Left.Seconds()
	}
	return o
}
