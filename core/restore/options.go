package restore

import (
	"errors"
	"fmt"
	"time"

	"hiddenbackup/core/snapshot"
)

// Overwrite says what happens to a file that is there and differs.
type Overwrite uint8

// The zero value touches nothing that exists.
const (
	OverwriteNever   Overwrite = iota // report it, leave it
	OverwriteChanged                  // replace it, and set metadata that differs
	OverwriteAlways                   // replace every file without looking
)

// Options of a restore. Places is required.
type Options struct {
	// Places says where each folder goes, by the folder's name: the path its
	// root will have. Folders without a place are not restored.
	Places map[string]string
	// Follow accepts a place that is a symbolic link: where a folder came from
	// it may be one, say into a bigger disk. Elsewhere somebody may have put it
	// there to have files written where they do not belong.
	Follow bool
	// Select names the entries to restore, with all below them, by their
	// listing paths; empty selects everything.
	Select []string
	// Tier restores only folders up to this tier; 0 restores all.
	Tier uint8

	Overwrite Overwrite
	// KeepSetID restores setuid and setgid bits.
	KeepSetID bool
	// Downloads is how many packs are fetched at once; 0 is the default.
	Downloads int
}

// DefaultDownloads is where more parallel downloads stop paying off.
const DefaultDownloads = 8

// Errors of a restore.
var (
	ErrNoSpace   = errors.New("not enough free space at the restore target")
	ErrDifferent = errors.New("a different file is already there and was left alone")
	ErrInTheWay  = errors.New("something else stands in its place")
	ErrLinkGone  = errors.New("the file it is another name of was not restored")
	ErrSelection = errors.New("the snapshot holds nothing of that name")
	// ErrInsideSource: the next backup would store the restored copy too.
	ErrInsideSource = errors.New("the restore target is inside a folder that is backed up")
	// ErrTargetBusy: two restores at once would take each other's files for
	// leftovers.
	ErrTargetBusy = errors.New("another restore is writing to the same place")
	ErrNoPlace    = errors.New("no place to restore to")
)

// Problem is one entry that was not restored, or not completely.
type Problem struct {
	Path string // may hold any bytes: quote it before printing
	Err  error
}

func (p Problem) Error() string { return fmt.Sprintf("%q: %v", p.Path, p.Err) }

// Unwrap gives the cause to errors.Is.
func (p Problem) Unwrap() error { return p.Err }

// maxProblems bounds the memory of a run in which everything goes wrong.
const maxProblems = 10_000

// Report says what a restore did.
type Report struct {
	Info snapshot.Info

	Files, Folders, Links, Others uint64 // restored
	Bytes                         int64  // of restored files' content
	Present                       uint64 // files that stood there with the right content
	PresentBytes                  int64
	Continued                     int64 // bytes that a run before this one left in unfinished files
	Fetched                       int64 // bytes received from the gateway

	Problems     []Problem // at most maxProblems of ProblemCount
	ProblemCount uint64
	// Warnings are entries restored without some of their metadata.
	Warnings     []Problem
	WarningCount uint64
	Elapsed      time.Duration
}

func (r *Report) problem(path []byte, err error) {
	r.ProblemCount++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, Problem{string(path), err})
	}
}

func (r *Report) warn(path []byte, err error) {
	r.WarningCount++
	if len(r.Warnings) < maxProblems {
		r.Warnings = append(r.Warnings, Problem{string(path), err})
	}
}
