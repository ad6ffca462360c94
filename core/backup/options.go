package backup

import (
	"fmt"
	"slices"
	"time"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient"
)

// Folder is one directory tree to back up.
type Folder struct {
	snapshot.Folder
	// Root is where it is on this machine: Path with "~" resolved.
	Root string
	// Rules are tried before Options.Rules.
	Rules []localfs.Rule
}

// Options of a run. Only Folders are required.
type Options struct {
	Folders       []Folder
	Rules         []localfs.Rule // in order, the first that matches decides
	OneFileSystem bool
	SkipCacheDirs bool  // leave out what a CACHEDIR.TAG marks
	MaxSize       int64 // leave out larger files; 0 leaves out none

	// ReadAll reads every file, even where size, times and inode say that it
	// is the one the last snapshot has.
	ReadAll bool
	// Stored turns compression off.
	Stored bool
	// Pin is a snapshot known from outside the vault; a zero Snapshot is none.
	Pin Pin
	// Uploads is how many packs are sent at once; 0 is the default.
	Uploads int
	// BreakMark takes the vault over from a run that seems to be alive.
	BreakMark bool
}

// sorted returns o with its folders in the order of a listing.
func (o Options) sorted() Options {
	o.Folders = slices.SortedFunc(slices.Values(o.Folders), func(a, b Folder) int {
		return snapshot.ComparePaths([]byte(a.Name), []byte(b.Name))
	})
	return o
}

// Pin is the newest snapshot a manifest knows.
type Pin struct {
	Snapshot tahoeclient.Cap
	Sequence uint64
}

// DefaultUploads is where more parallel uploads stop paying off.
const DefaultUploads = 2

// Problem is one entry that is not in the snapshot, or not as it should be.
type Problem struct {
	Path string // may hold any bytes: quote it before printing
	Err  error
}

func (p Problem) Error() string { return fmt.Sprintf("%q: %v", p.Path, p.Err) }

// Unwrap gives the cause to errors.Is.
func (p Problem) Unwrap() error { return p.Err }

// Report says what a run did.
type Report struct {
	Info     snapshot.Info
	Snapshot tahoeclient.Cap
	// ParentProblems say why newer snapshots could not serve as the parent.
	ParentProblems []error
	// RolledBack: the grid answered with an older state than the pin.
	RolledBack bool
	// Dropped are folders that the newest snapshot has and this one has not.
	Dropped []string

	New, Changed, Unchanged uint64 // files
	Read                    int64  // bytes of file content read
	Sent                    int64  // bytes handed to the gateway
	Packs                   int    // new ones
	Resumed                 int    // packs of an unfinished run that were used again

	// Problems names what could not be read; at most maxProblems of
	// ProblemCount.
	Problems     []Problem
	ProblemCount uint64
	LeftOut      map[localfs.ExcludeReason]uint64

	// Weak counts packs with fewer shares on the grid than there should be, Lost
	// those that were gone and whose content was stored again.
	Weak, Lost int
	Elapsed    time.Duration
}

// maxProblems bounds the memory of a run through a disk full of errors.
const maxProblems = 10_000

func (r *Report) problem(path []byte, err error) {
	r.ProblemCount++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, Problem{Path: string(path), Err: err})
	}
}
