package snapshot

import (
	"fmt"
	"time"

	"hiddenbackup/tahoeclient"
)

// Version of everything this package writes. A snapshot of a later version is
// refused with ErrVersion.
const Version = 1

// ErrVersion: written by a later version of this program.
var ErrVersion = fmt.Errorf("%w: written by a later version of this program", ErrFormat)

const (
	// maxObject bounds a sealed object other than a pack, opened: the pack
	// table of some TiB.
	maxObject = 128 << 20
	// minObject is what small objects are padded to, so that "nothing
	// changed" looks like "little changed".
	minObject = 4 << 10
)

// Info is the part of a snapshot people are shown.
type Info struct {
	Sequence uint64    // from 1, without gaps where no run was lost
	Time     time.Time // when the backup began, by the clock of that machine
	Parent   uint64    // the sequence number it builds on; 0 for none
	Folders  []Folder
	Totals   Totals
	Skipped  uint64 // entries that could not be read and are missing
}

// Folder is one backed-up directory tree.
type Folder struct {
	_    struct{} `cbor:",toarray"`
	Name string   // first element of its entries' paths
	Path string   // where it was: absolute, or "~/…" below the home directory
	Tier uint8    // 1 "first hour", 2 "work", 3 "rest"
}

// Totals count what a snapshot holds.
type Totals struct {
	_       struct{} `cbor:",toarray"`
	Entries uint64
	Files   uint64
	Bytes   uint64 // of file content, holes included, hard links once
}

// Pack is one line of the pack table.
type Pack struct {
	ID   PackID
	Cap  tahoeclient.Cap // an immutable file
	Size int64           // of that file in bytes
}

// Snapshot is one finished backup: all it takes to restore it.
type Snapshot struct {
	Info
	// Listing are the chunks of the listing in order.
	Listing []ChunkRef
	// Packs is the pack table: every pack the listing or its entries name.
	Packs map[PackID]Pack
}

type wireSnapshot struct {
	Version  uint       `cbor:"1,keyasint"`
	Sequence uint64     `cbor:"2,keyasint"`
	Time     Timespec   `cbor:"3,keyasint"`
	Parent   uint64     `cbor:"4,keyasint,omitempty"`
	Folders  []Folder   `cbor:"5,keyasint"`
	Totals   Totals     `cbor:"6,keyasint"`
	Skipped  uint64     `cbor:"7,keyasint,omitempty"`
	Listing  []ChunkRef `cbor:"8,keyasint"`
	Packs    []wirePack `cbor:"9,keyasint"`
}

type wirePack struct {
	_    struct{} `cbor:",toarray"`
	ID   PackID
	Cap  string
	Size int64
}

// Format keeps the capability out of every print.
func (p wirePack) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "pack %v", p.ID) }

// Seal returns the sealed, padded form of s, which holds capabilities and must
// not be stored unsealed.
func (s *Snapshot) Seal(k *Keys) ([]byte, error) {
	w := wireSnapshot{
		Version: Version, Sequence: s.Sequence, Parent: s.Parent,
		Time:    Timespec{Sec: s.Time.Unix(), Nsec: uint32(s.Time.Nanosecond())},
		Folders: s.Folders, Totals: s.Totals, Skipped: s.Skipped, Listing: s.Listing,
		Packs: packTable(s.Packs),
	}
	plain, err := encMode.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("writing the snapshot: %w", err)
	}
	return sealPadded(&k.snapshot, plain)
}

// OpenSnapshot opens what Seal returned and checks that each chunk it names
// lies in a pack of its table.
func (k *Keys) OpenSnapshot(sealed []byte) (*Snapshot, error) {
	plain, err := openPadded(&k.snapshot, sealed)
	if err != nil {
		return nil, err
	}
	var version struct {
		Version uint `cbor:"1,keyasint"`
	}
	if err := laxMode.Unmarshal(plain, &version); err != nil {
		return nil, fmt.Errorf("%w: snapshot: %v", ErrFormat, err)
	}
	if version.Version != Version {
		return nil, ErrVersion
	}
	var w wireSnapshot
	if err := decMode.Unmarshal(plain, &w); err != nil {
		return nil, fmt.Errorf("%w: snapshot: %v", ErrFormat, err)
	}
	s := &Snapshot{
		Info: Info{
			Sequence: w.Sequence, Parent: w.Parent, Folders: w.Folders, Totals: w.Totals, Skipped: w.Skipped,
			Time: time.Unix(w.Time.Sec, int64(w.Time.Nsec)).UTC(),
		},
		Listing: w.Listing,
	}
	if s.Packs, err = readPackTable(w.Packs); err != nil {
		return nil, err
	}
	for _, f := range s.Folders {
		if err := CheckPath([]byte(f.Name)); err != nil {
			return nil, err
		}
	}
	for _, r := range s.Listing {
		if r.Hole() || r.Length <= 0 || r.Length > MaxChunk {
			return nil, fmt.Errorf("%w: listing chunk of impossible length", ErrFormat)
		}
		if err := s.CheckRef(r); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// CheckRef reports whether r lies inside a pack that s knows.
func (s *Snapshot) CheckRef(r ChunkRef) error {
	if r.Hole() {
		return nil
	}
	p, ok := s.Packs[r.Pack]
	if !ok {
		return fmt.Errorf("%w: pack %v is in no pack table", ErrFormat, r.Pack)
	}
	if int64(r.Offset)+int64(r.Sealed) > p.Size {
		return fmt.Errorf("%w: chunk beyond the end of pack %v", ErrFormat, r.Pack)
	}
	return nil
}

func packTable(packs map[PackID]Pack) []wirePack {
	table := make([]wirePack, 0, len(packs))
	for _, id := range SortedPacks(packs) {
		p := packs[id]
		table = append(table, wirePack{ID: id, Cap: p.Cap.Secret(), Size: p.Size})
	}
	return table
}

func readPackTable(table []wirePack) (map[PackID]Pack, error) {
	packs := make(map[PackID]Pack, len(table))
	for _, p := range table {
		c, err := tahoeclient.ParseCap(p.Cap)
		if err != nil {
			return nil, fmt.Errorf("pack %v: %w", p.ID, err)
		}
		size, ok := c.Size()
		if !ok || !c.CanRead() || c.IsDirectory() || size != p.Size || p.Size > PackSize {
			return nil, fmt.Errorf("%w: pack %v is not an immutable file of its size", ErrFormat, p.ID)
		}
		if _, twice := packs[p.ID]; twice {
			return nil, fmt.Errorf("%w: pack %v listed twice", ErrFormat, p.ID)
		}
		packs[p.ID] = Pack{ID: p.ID, Cap: c, Size: p.Size}
	}
	return packs, nil
}
