package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// Difference is how a file on disk differs from the snapshot's entry.
type Difference string

// The values are shown to people and part of the JSON report.
const (
	DifferenceMissing  Difference = "missing"  // in the snapshot, not on disk
	DifferenceExtra    Difference = "new"      // on disk, not in the snapshot
	DifferenceType     Difference = "type"     // one is a folder, say, and the other a file
	DifferenceContent  Difference = "content"  // other bytes, another link target
	DifferenceMetadata Difference = "metadata" // same bytes; mode, owner, time or attributes differ
	DifferenceUnread   Difference = "unread"   // could not be compared
)

// Differing is one line of a comparison.
type Differing struct {
	Path string
	How  Difference
	What string // for metadata: what differs
}

// Comparison is the result of Compare.
type Comparison struct {
	Info          snapshot.Info
	Entries, Same uint64
	Bytes         int64
	Differences   []Differing // at most maxProblems of Count
	Count         uint64
	Explained     uint64 // differences that are not in Count
	LeftOut       uint64 // on disk, and left out by CompareOptions.Filters
	Elapsed       time.Duration
}

// CompareOptions of a comparison. The zero value compares everything but owners.
type CompareOptions struct {
	Owners bool
	// Filters say, by folder, what is not new although it is on disk only.
	Filters map[string]localfs.WalkOptions
	// Shallow, where it returns true, takes a file's content to be the same if
	// its size and time are.
	Shallow func(*snapshot.Entry) bool
	// Explain is asked about every difference, in the order of paths, those that
	// are new last. One that it returns true for is only counted. there is what
	// stands on disk, nil when nothing does or it could not be looked at.
	Explain func(d Differing, there *snapshot.Entry) bool
}

// Compare holds the snapshot against the files in o.Places: content by hash,
// metadata, and what is missing or new. It fetches only the listing.
func Compare(ctx context.Context, v *vault.Vault, s *snapshot.Snapshot, o Options, with CompareOptions, t *progress.Tracker) (Comparison, error) {
	started := time.Now()
	c := &comparer{tracker: t, with: with, result: Comparison{Info: s.Info}, first: make(map[string]uint64)}
	t.SetPhase(progress.PhaseCompare)
	t.SetTotals(int64(s.Totals.Entries), int64(s.Totals.Bytes))
	t.SetFiles(int64(s.Totals.Files))
	r := &run{v: v, s: s, o: o, tracker: t, selection: newSelection(o.Select)}
	var err error
	if c.targets, err = openTargets(s, o, false); err != nil {
		return c.result, err
	}
	defer c.targets.close()
	err = r.each(ctx, func(e *snapshot.Entry) error {
		selected, _ := r.selection.wants(e)
		if !selected {
			return nil
		}
		return c.entry(ctx, e)
	})
	if err == nil {
		err = r.selection.missing()
	}
	if err == nil && len(o.Select) == 0 {
		err = c.extras(ctx, r)
	}
	c.result.Elapsed = time.Since(started)
	t.SetPhase(progress.PhaseDone)
	return c.result, err
}

type comparer struct {
	targets *targets
	tracker *progress.Tracker
	with    CompareOptions
	result  Comparison
	buf     []byte
	first   map[string]uint64 // inode on disk of files of several names
}

func notThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, localfs.ErrInTheWay)
}

func (c *comparer) differs(path []byte, how Difference, what string, there *snapshot.Entry) {
	d := Differing{string(path), how, what}
	if c.with.Explain != nil && c.with.Explain(d, there) {
		c.result.Explained++
		return
	}
	c.result.Count++
	c.tracker.Problem()
	if len(c.result.Differences) < maxProblems {
		c.result.Differences = append(c.result.Differences, d)
	}
}

func (c *comparer) entry(ctx context.Context, e *snapshot.Entry) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.result.Entries++
	c.tracker.Entry(string(e.Path))
	if e.Type == snapshot.TypeFile {
		c.tracker.File()
	}
	tree, path, _ := c.targets.locate(e.Path)
	there, err := tree.Lstat(path, true)
	switch {
	case notThere(err):
		c.differs(e.Path, DifferenceMissing, "", nil)
		return nil
	case err != nil:
		c.differs(e.Path, DifferenceUnread, err.Error(), nil)
		return nil
	}
	if e.Type == snapshot.TypeHardlink {
		first := c.first[string(e.Target)]
		if first == 0 { // it was not selected, so not looked at
			if to, at, ok := c.targets.locate(e.Target); ok {
				if other, err := to.Lstat(at, false); err == nil {
					first = other.Inode
				}
			}
		}
		if there.Inode != first {
			c.differs(e.Path, DifferenceContent, "it is no longer another name of "+fmt.Sprintf("%q", e.Target), there)
		} else {
			c.result.Same++
		}
		return nil
	}
	if there.Type != e.Type {
		c.differs(e.Path, DifferenceType, fmt.Sprintf("%v instead of %v", there.Type, e.Type), there)
		return nil
	}
	if e.Links > 1 {
		c.first[string(e.Path)] = there.Inode
	}
	same := bytes.Equal(there.Target, e.Target) && there.Device == e.Device
	if e.Type == snapshot.TypeFile {
		shallow := c.with.Shallow != nil && c.with.Shallow(e)
		if same = there.Size == e.Size && (!shallow || there.ModTime == e.ModTime); same && !shallow {
			if same, err = sameContent(ctx, tree, path, e, &c.buf); ctx.Err() != nil {
				return context.Cause(ctx)
			} else if err != nil {
				c.differs(e.Path, DifferenceUnread, err.Error(), there)
				return nil
			}
			c.result.Bytes += e.Size
		}
		c.tracker.Add(e.Size)
	}
	if !same {
		c.differs(e.Path, DifferenceContent, "", there)
		return nil
	}
	if what := c.metadata(there, e); what != "" {
		c.differs(e.Path, DifferenceMetadata, what, there)
		return nil
	}
	c.result.Same++
	return nil
}

// metadata names the first thing that differs.
func (c *comparer) metadata(there, e *snapshot.Entry) string {
	switch {
	case e.Type != snapshot.TypeSymlink && there.Mode != e.Mode:
		return fmt.Sprintf("mode %04o instead of %04o", there.Mode, e.Mode)
	case there.ModTime != e.ModTime:
		return "modification time"
	case c.with.Owners && (there.UID != e.UID || there.GID != e.GID):
		return fmt.Sprintf("owner %d:%d instead of %d:%d", there.UID, there.GID, e.UID, e.GID)
	case len(there.Xattrs) != len(e.Xattrs):
		return "extended attributes"
	}
	for i, x := range there.Xattrs {
		if y := e.Xattrs[i]; x.Name != y.Name || !bytes.Equal(x.Value, y.Value) {
			return "extended attribute " + y.Name
		}
	}
	return ""
}

// extras finds what is on disk and not in the snapshot: both are walked side by
// side in the same order.
func (c *comparer) extras(ctx context.Context, r *run) error {
	l, err := r.v.Listing(ctx, r.s, nil)
	if err != nil {
		return err
	}
	defer l.Close()
	next, err := l.Next()
	for _, f := range r.s.Folders {
		if _, ok := c.targets.byFolder[f.Name]; !ok {
			continue
		}
		werr := localfs.Walk(ctx, f.Name, r.o.Places[f.Name], c.with.Filters[f.Name], func(it *localfs.Item) error {
			defer it.Release()
			for err == nil && snapshot.ComparePaths(next.Path, it.Entry.Path) < 0 {
				next, err = l.Next()
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if err != nil || !bytes.Equal(next.Path, it.Entry.Path) {
				if errors.Is(it.Err, fs.ErrNotExist) {
					return nil // it went while we looked
				}
				if it.Excluded != "" {
					c.result.LeftOut++
					return nil
				}
				c.differs(it.Entry.Path, DifferenceExtra, "", it.Entry)
			}
			return nil
		})
		if notThere(werr) {
			continue // reported as missing
		}
		if werr != nil {
			return werr
		}
	}
	return nil
}
