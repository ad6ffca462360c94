package core

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/restore"
	"hiddenbackup/core/snapshot"
)

// Since is how the live folders differ from a snapshot of them, and why.
type Since struct {
	Entries uint64 // of the snapshot that were looked for
	Bytes   int64  // of live content that were read and compared
	// Changed, New and Removed happened after the snapshot was begun.
	Changed, New, Removed Named
	// Skipped are not in the snapshot because they could not be read then.
	Skipped Named
	Unread  Named  // could not be read now
	LeftOut uint64 // by the vault's filters, with all below
	// Unexplained should not be: content that differs although the file did not
	// change since, or a file that was there before the snapshot and is not in it.
	Unexplained Unexplained
	Absent      []string // folders that are not on this computer
	// NoFilters: they could not be read, so that what was left out on purpose
	// cannot be told from what is missing, and counts as left out.
	NoFilters bool
}

// Named counts entries and names the first of them.
type Named struct {
	Count uint64
	Paths []string // at most maxNamed; may hold any bytes
}

// Unexplained counts differences and names the first of them.
type Unexplained struct {
	Count       uint64
	Differences []restore.Differing // at most maxNamed
}

const maxNamed = 1000

func (n *Named) add(path string) {
	n.Count++
	if len(n.Paths) < maxNamed {
		n.Paths = append(n.Paths, path)
	}
}

// Changes counts what a backup now would add or change.
func (s *Since) Changes() uint64 { return s.Changed.Count + s.New.Count + s.Removed.Count }

// compare holds the restored files and the live folders against the snapshot.
func (r *rehearsal) compare(ctx context.Context, g *Grid, s *snapshot.Snapshot, at *stage) error {
	var err error
	o := restore.Options{Places: restore.ResolvePlaces(s, at.target)}
	if !r.p.Full {
		o.Select = append(slices.Clone(r.report.First), r.sample...)
	}
	if r.p.Full || len(o.Select) > 0 {
		r.t.Show(progress.Status{Phase: progress.PhaseCompare})
		lacking := newLacking(&r.report)
		r.report.Copy, err = restore.Compare(ctx, g.vault, s, o, restore.CompareOptions{Owners: os.Geteuid() == 0, Explain: lacking.explains}, r.t)
		if err != nil {
			return err
		}
	}
	r.t.Show(progress.Status{Phase: progress.PhaseCompare})
	r.report.Live, err = r.since(ctx, g, s)
	return err
}

// lacking knows which entries were restored without some of their metadata, and
// which were not restored at all: those are reported already. It knows only those
// that are named: which the others are nobody knows.
type lacking struct{ metadata, all map[string]bool }

func newLacking(p *RehearsalReport) *lacking {
	l := &lacking{metadata: make(map[string]bool), all: make(map[string]bool)}
	for _, w := range p.Incomplete {
		l.metadata[w.Path] = true
	}
	for _, w := range p.Problems {
		l.all[w.Path] = true
	}
	return l
}

func (l *lacking) explains(d restore.Differing, _ *snapshot.Entry) bool {
	return l.all[d.Path] || d.How == restore.DifferenceMetadata && l.metadata[d.Path]
}

// since holds the live folders against the snapshot: names, sizes and times of
// everything, and the content of what was restored.
func (r *rehearsal) since(ctx context.Context, g *Grid, s *snapshot.Snapshot) (Since, error) {
	j := &judge{snapshot: s}
	o := restore.Options{Places: restore.PlacesOf(s, r.home), Follow: true}
	for _, f := range s.Folders {
		if _, err := os.Stat(o.Places[f.Name]); err != nil {
			j.since.Absent = append(j.since.Absent, f.Name)
			delete(o.Places, f.Name)
		}
	}
	if len(o.Places) == 0 {
		return j.since, nil
	}
	filters, err := g.liveFilters(ctx, s, o.Places)
	if err != nil {
		if ctx.Err() != nil {
			return j.since, context.Cause(ctx)
		}
		j.since.NoFilters = true
	}
	restored := make(map[string]bool)
	for _, path := range append(slices.Clone(r.report.First), r.sample...) {
		restored[path] = true
	}
	c, err := restore.Compare(ctx, g.vault, s, o, restore.CompareOptions{
		Owners: true, Filters: filters, Explain: j.explains,
		Shallow: func(e *snapshot.Entry) bool {
			return !r.p.Full && !restored[e.Folder()] && !restored[string(e.Path)]
		},
	}, r.t)
	j.since.Entries, j.since.Bytes = c.Entries, c.Bytes
	j.since.LeftOut += c.LeftOut
	j.since.Unexplained = Unexplained{c.Count, c.Differences[:min(len(c.Differences), maxNamed)]}
	return j.since, err
}

// liveFilters are the filters a backup would use, by folder.
func (g *Grid) liveFilters(ctx context.Context, s *snapshot.Snapshot, places map[string]string) (map[string]localfs.WalkOptions, error) {
	var o backup.Options
	for _, f := range s.Folders {
		if place, ok := places[f.Name]; ok {
			o.Folders = append(o.Folders, backup.Folder{Folder: f, Root: place})
		}
	}
	if err := g.filter(ctx, &o, BackupPlan{}); err != nil {
		return nil, err
	}
	filters := make(map[string]localfs.WalkOptions)
	for _, f := range o.Folders {
		filters[f.Name] = o.Walk(f)
	}
	return filters, nil
}

// judge explains differences between the snapshot and the live folders.
type judge struct {
	snapshot *snapshot.Snapshot
	since    Since
	moved    string // a folder that is new, and so is all below
}

// explains reports whether a difference is as it should be.
func (j *judge) explains(d restore.Differing, there *snapshot.Entry) bool {
	switch d.How {
	case restore.DifferenceMissing:
		j.since.Removed.add(d.Path)
		return true
	case restore.DifferenceUnread:
		j.since.Unread.add(d.Path)
		return true
	case restore.DifferenceExtra:
		return j.extra(d.Path, there)
	}
	if !j.after(there.ChangeTime) {
		return false
	}
	if there.Type != snapshot.TypeDir || d.How == restore.DifferenceType {
		j.since.Changed.add(d.Path) // a folder's times change with what is in it
	}
	return true
}

// extra judges what is on disk and not in the snapshot.
func (j *judge) extra(path string, there *snapshot.Entry) bool {
	switch {
	case j.moved != "" && strings.HasPrefix(path, j.moved):
		j.since.New.add(path)
	case j.after(there.ChangeTime):
		// What is in a folder that was moved here keeps its times.
		if j.since.New.add(path); there.Type == snapshot.TypeDir {
			j.moved = path + "/"
		}
	case j.since.Skipped.Count < j.snapshot.Skipped:
		j.since.Skipped.add(path)
	case j.since.NoFilters:
		j.since.LeftOut++
	default:
		return false
	}
	return true
}

// tick is the coarsest clock of a file system we know, FAT's.
const tick = 2 * time.Second

// after reports whether a change happened since the backup began. A file's time
// of modification can be set to anything; that of its change cannot.
func (j *judge) after(changed snapshot.Timespec) bool {
	return time.Unix(changed.Sec, int64(changed.Nsec)).After(j.snapshot.Time.Add(-tick))
}
