package backup

import (
	"context"
	"errors"
	"io"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
)

// parentCursor walks the parent's listing beside the walk of the disk: both are
// in path order, so one pass over each finds every entry's predecessor.
type parentCursor struct {
	s       *snapshot.Snapshot
	listing *vault.Listing
	lost    map[snapshot.PackID]bool
	next    *snapshot.Entry
	ended   bool
	err     error // why the listing ended early
}

// openParent starts reading s's listing; a nil s is the parent of a first
// backup and finds nothing.
func openParent(ctx context.Context, v *vault.Vault, s *snapshot.Snapshot, lost map[snapshot.PackID]bool) (*parentCursor, error) {
	if s == nil {
		return &parentCursor{ended: true}, nil
	}
	l, err := v.Listing(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	return &parentCursor{s: s, listing: l, lost: lost}, nil
}

func (c *parentCursor) close() {
	if c.listing != nil {
		c.listing.Close()
	}
}

// find returns the parent's entry of a path, nil if there is none. Paths must
// come in order. A listing that breaks off ends early: what follows counts as
// new, and err says why.
func (c *parentCursor) find(path []byte) *snapshot.Entry {
	for !c.ended {
		if c.next == nil {
			e, err := c.listing.Next()
			if err != nil {
				c.ended = true
				if !errors.Is(err, io.EOF) {
					c.err = err
				}
				break
			}
			c.next = e
		}
		switch d := snapshot.ComparePaths(c.next.Path, path); {
		case d < 0:
			c.next = nil
		case d == 0:
			return c.next
		default:
			return nil
		}
	}
	return nil
}

// unchanged reports whether now is still the file that old describes, so that
// its content need not be read. A file changed in the seconds before the parent
// was made proves nothing: a write in the same tick of the file system's clock
// leaves no trace in its times.
func (c *parentCursor) unchanged(old, now *snapshot.Entry) bool {
	const tick = 2 // seconds; the coarsest file system we know (FAT)
	if old.Type != snapshot.TypeFile || old.Changed || !sameContent(old, now) {
		return false
	}
	if old.ChangeTime.Sec >= c.s.Time.Unix()-tick {
		return false
	}
	for _, r := range old.Chunks {
		if c.s.CheckRef(r) != nil || c.lost[r.Pack] {
			return false
		}
	}
	return true
}
