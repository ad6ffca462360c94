// Package progress counts what an engine does so that a front end can show it.
//
// The engine adds to a Tracker; a front end samples Tracker.Status on its own
// clock. The engine never calls a front end. Rates and times left are computed
// here and nowhere else.
package progress

import (
	"sync"
	"sync/atomic"
	"time"
)

// Phase is what a run is doing now. Front ends translate it.
type Phase string

// The phases of a backup and of a restore, in order.
const (
	PhaseUnlock   Phase = "opening the manifest"
	PhaseTor      Phase = "connecting to the Tor network"
	PhaseConnect  Phase = "connecting"
	PhaseEstimate Phase = "counting"
	PhaseReadGrid Phase = "reading the last snapshot"
	PhaseFiles    Phase = "backing up"
	PhaseCommit   Phase = "writing the snapshot"
	PhaseVerify   Phase = "checking what was stored"
	PhaseRestore  Phase = "restoring"
	PhaseFinish   Phase = "setting folder times"
	PhaseCompare  Phase = "comparing"
	PhaseCheck    Phase = "asking the servers for every object"
	PhaseRepair   Phase = "storing anew what servers hold damaged"
	PhaseForget   Phase = "forgetting old snapshots"
	PhaseDone     Phase = "done"
)

// window is how far back the rate looks: long enough to be calm, short enough
// to notice that a line has died.
const window = 20 * time.Second

// A Tracker is the counters of one run. The zero value is ready; a nil Tracker
// is valid and does nothing. Safe for concurrent use.
type Tracker struct {
	entries, entriesTotal atomic.Int64
	files, filesTotal     atomic.Int64
	bytes, bytesTotal     atomic.Int64
	sending               atomic.Int64
	moved                 atomic.Int64
	problems              atomic.Int64

	mu      sync.Mutex
	phase   Phase
	current string
	started time.Time
	samples []sample
	pace    pace
	folders []int64
}

type sample struct {
	at    time.Time
	bytes int64
}

// Status is a copy of a Tracker's counters.
type Status struct {
	Phase   Phase
	Current string // path of an entry being worked on; may hold any bytes

	Entries, EntriesTotal int64   // totals are 0 while unknown
	Files, FilesTotal     int64   // those of the entries that are files
	Bytes, BytesTotal     int64   // of file content
	Sending               int64   // of Bytes, and of the listing: packed, and not yet stored
	Folders               []int64 // content bytes of each folder of a backup, in order; nil while unknown
	Moved                 int64   // bytes sent to or fetched from the gateway
	Problems              int64

	Elapsed time.Duration
	Rate    float64       // content bytes a second lately; 0 while unknown
	Left    time.Duration // -1 while unknown
}

// SetPhase says what the run does now. The clock starts with the first phase.
func (t *Tracker) SetPhase(p Phase) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started.IsZero() {
		t.started = time.Now()
	}
	if p != t.phase {
		t.phase, t.samples, t.pace = p, nil, pace{}
	}
}

// SetTotals sets what the run will have done at its end.
func (t *Tracker) SetTotals(entries, bytes int64) {
	if t == nil {
		return
	}
	t.entriesTotal.Store(entries)
	t.bytesTotal.Store(bytes)
}

// SetFiles sets how many files the run will have done at its end.
func (t *Tracker) SetFiles(total int64) {
	if t != nil {
		t.filesTotal.Store(total)
	}
}

// SetFolders sets the content bytes of each folder, in the order in which they
// are done. The caller does not change them any more.
func (t *Tracker) SetFolders(bytes []int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.folders = bytes
}

// File counts a finished entry, which Entry counts too, as a file.
func (t *Tracker) File() {
	if t != nil {
		t.files.Add(1)
	}
}

// Entry counts a finished entry.
func (t *Tracker) Entry(path string) {
	if t == nil {
		return
	}
	t.entries.Add(1)
	t.mu.Lock()
	t.current = path
	t.mu.Unlock()
}

// Show takes over what another Tracker says: that of another process, or one
// that a run of several steps had for one of them. Its clock goes on.
func (t *Tracker) Show(s Status) {
	if t == nil {
		return
	}
	t.SetPhase(s.Phase)
	t.SetTotals(s.EntriesTotal, s.BytesTotal)
	t.SetFiles(s.FilesTotal)
	t.entries.Store(s.Entries)
	t.files.Store(s.Files)
	t.sending.Store(s.Sending)
	t.moved.Store(s.Moved)
	t.problems.Store(s.Problems)
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.Bytes < t.bytes.Swap(s.Bytes) {
		t.samples, t.pace = nil, pace{}
	}
	t.current, t.folders = s.Current, s.Folders
}

// Add counts n bytes of file content as done.
func (t *Tracker) Add(n int64) {
	if t != nil {
		t.bytes.Add(n)
	}
}

// Sending counts n bytes as packed and not yet stored; a negative n takes them
// off again.
func (t *Tracker) Sending(n int64) {
	if t != nil {
		t.sending.Add(n)
	}
}

// Moved counts n bytes exchanged with the gateway.
func (t *Tracker) Moved(n int64) {
	if t != nil {
		t.moved.Add(n)
	}
}

// Problem counts an entry that could not be handled.
func (t *Tracker) Problem() {
	if t != nil {
		t.problems.Add(1)
	}
}

// Status returns the counters, and the rate over the last seconds: as seen by
// whoever samples, so sample at a steady pace.
func (t *Tracker) Status() Status {
	if t == nil {
		return Status{Left: -1}
	}
	s := Status{
		Entries: t.entries.Load(), EntriesTotal: t.entriesTotal.Load(),
		Files: t.files.Load(), FilesTotal: t.filesTotal.Load(),
		Bytes: t.bytes.Load(), BytesTotal: t.bytesTotal.Load(), Sending: t.sending.Load(),
		Moved: t.moved.Load(), Problems: t.problems.Load(), Left: -1,
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Phase, s.Current, s.Folders = t.phase, t.current, t.folders
	if t.started.IsZero() {
		return s
	}
	now := time.Now()
	s.Elapsed = now.Sub(t.started)
	for len(t.samples) > 1 && now.Sub(t.samples[1].at) >= window {
		t.samples = t.samples[1:]
	}
	t.samples = append(t.samples, sample{now, s.Bytes})
	first := t.samples[0]
	if d := now.Sub(first.at); d >= time.Second {
		s.Rate = float64(s.Bytes-first.bytes) / d.Seconds()
	}
	if s.BytesTotal > 0 {
		s.Left = t.pace.left(now, s.Bytes-s.Sending, s.BytesTotal)
	}
	return s
}
