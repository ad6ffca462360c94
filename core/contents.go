package core

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// maxContents bounds the memory of Contents, some hundred bytes for each.
const maxContents = 200_000

// Choice says how much of a Content is chosen.
type Choice uint8

// The choices.
const (
	ChosenNone Choice = iota
	ChosenSome
	ChosenAll
)

// Content is a folder or a file of a snapshot with all that is in it. Everything
// is chosen at first. A Content belongs to one goroutine at a time.
type Content struct {
	Name   string // may hold any bytes
	Path   string // as restore.Options.Select takes it
	Dir    bool
	Tier   uint8 // of the folder it is in, 1 to 3
	Files  uint64
	Bytes  int64
	Choice Choice
	Below  []*Content // in the order of the listing
	// Unlisted are files in it that have no Content of their own: there are too
	// many. They come with the whole folder only.
	Unlisted uint64

	parent *Content
}

// Contents are the folders of a snapshot, those that are needed first at the
// top.
type Contents struct{ Folders []*Content }

// Contents reads the listing of s as a tree.
func (g *Grid) Contents(ctx context.Context, s *snapshot.Snapshot) (*Contents, error) {
	b := newContents(s.Folders)
	err := g.Entries(ctx, s, func(e *snapshot.Entry) error {
		b.add(e)
		return nil
	})
	return b.done(), err
}

type contentsBuilder struct {
	Contents
	tiers map[string]uint8
	// open is the way from a folder to the last entry's directory.
	open  []*Content
	items int
}

func newContents(folders []snapshot.Folder) *contentsBuilder {
	b := &contentsBuilder{tiers: make(map[string]uint8)}
	for _, f := range folders {
		b.tiers[f.Name] = min(max(f.Tier, 1), 3)
	}
	return b
}

// add relies on the order of the listing: a directory comes before what is in
// it, and nothing else comes between.
func (b *contentsBuilder) add(e *snapshot.Entry) {
	for len(b.open) > 0 && !bytes.HasPrefix(e.Path, []byte(b.open[len(b.open)-1].Path+"/")) {
		b.open = b.open[:len(b.open)-1]
	}
	var files uint64
	if e.Type == snapshot.TypeFile {
		files = 1
	}
	for _, dir := range b.open {
		dir.Files += files
		dir.Bytes += e.Size
	}
	var parent *Content
	if len(b.open) > 0 {
		parent = b.open[len(b.open)-1]
	}
	if parent != nil && b.items >= maxContents {
		parent.Unlisted++
		return
	}
	b.items++
	c := &Content{
		Path: string(e.Path), Name: string(e.Path[bytes.LastIndexByte(e.Path, '/')+1:]), Dir: e.Type == snapshot.TypeDir,
		Tier: b.tiers[e.Folder()], Files: files, Bytes: e.Size, Choice: ChosenAll, parent: parent,
	}
	if parent == nil {
		b.Folders = append(b.Folders, c)
	} else {
		parent.Below = append(parent.Below, c)
	}
	if c.Dir {
		b.open = append(b.open, c)
	}
}

func (b *contentsBuilder) done() *Contents {
	slices.SortStableFunc(b.Folders, func(x, y *Content) int { return int(x.Tier) - int(y.Tier) })
	return &b.Contents
}

// Choose puts it with everything in it in or out.
func (c *Content) Choose(on bool) {
	c.set(on)
	for p := c.parent; p != nil; p = p.parent {
		p.sum()
	}
}

func (c *Content) set(on bool) {
	c.Choice = ChosenNone
	if on {
		c.Choice = ChosenAll
	}
	for _, b := range c.Below {
		b.set(on)
	}
}

// sum derives a folder's choice from what is in it.
func (c *Content) sum() {
	all, none := c.Unlisted == 0, true
	for _, b := range c.Below {
		all = all && b.Choice == ChosenAll
		none = none && b.Choice == ChosenNone
	}
	switch {
	case all:
		c.Choice = ChosenAll
	case none:
		c.Choice = ChosenNone
	default:
		c.Choice = ChosenSome
	}
}

// Selection is what is chosen.
type Selection struct {
	Files uint64
	Bytes int64
	Paths []string // for restore.Options.Select, the fewest that say it
}

func (s *Selection) add(c *Content) {
	switch c.Choice {
	case ChosenAll:
		s.Files += c.Files
		s.Bytes += c.Bytes
		s.Paths = append(s.Paths, c.Path)
	case ChosenSome:
		for _, b := range c.Below {
			s.add(b)
		}
	}
}

// Chosen adds up what is chosen.
func (c *Contents) Chosen() (sum Selection) {
	for _, f := range c.Folders {
		sum.add(f)
	}
	return sum
}

// Of adds up what is chosen of a tier.
func (c *Contents) Of(tier uint8) (sum Selection) {
	for _, f := range c.Folders {
		if f.Tier == tier {
			sum.add(f)
		}
	}
	return sum
}

// Occupied returns the places at which something stands already, sorted. An
// empty directory is no obstacle.
func Occupied(places map[string]string) (taken []string) {
	for _, place := range places {
		names, err := firstNames(place)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && len(names) == 0:
		default:
			taken = append(taken, place)
		}
	}
	slices.Sort(taken)
	return slices.Compact(taken)
}

// firstNames is one name in a directory, or none.
func firstNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return names, err
}

// FreeSpace is how many bytes fit at a place, which need not exist yet; -1 if
// that is not known.
func FreeSpace(place string) int64 {
	for {
		var disk unix.Statfs_t
		if unix.Statfs(place, &disk) == nil {
			return int64(disk.Bavail) * disk.Bsize
		}
		parent := filepath.Dir(place)
		if parent == place {
			return -1
		}
		place = parent
	}
}
