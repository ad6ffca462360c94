package vault

import (
	"bytes"
	"io"
	"sync/atomic"
	"testing"

	"hiddenbackup/core/snapshot"
	"hiddenbackup/tahoeclient/tahoetest"
)

// readListing returns a listing's bytes and how many were fetched for them.
func readListing(t *testing.T, v *Vault, s *snapshot.Snapshot) (got []byte, fetched int64) {
	t.Helper()
	var moved atomic.Int64
	l, err := v.Listing(t.Context(), s, func(n int64) { moved.Add(n) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got, err = io.ReadAll(readerOf{l}); err != nil {
		t.Fatal(err)
	}
	return got, moved.Load()
}

// readerOf hides what else a Listing can do.
type readerOf struct{ io.Reader }

func snapshotOf(packs []snapshot.Pack, listing []snapshot.ChunkRef) *snapshot.Snapshot {
	s := &snapshot.Snapshot{Packs: make(map[snapshot.PackID]snapshot.Pack), Listing: listing}
	for _, p := range packs {
		s.Packs[p.ID] = p
	}
	return s
}

// Over a slow line a listing that is fetched for every look at it is most of
// what an unchanged backup moves.
func TestListingIsFetchedOnce(t *testing.T) {
	v, _ := newVault(t)
	a, b, c := tahoetest.Bytes(1, 40_000), tahoetest.Bytes(2, 50_000), tahoetest.Bytes(3, 60_000)
	first, refs := pack(t, v, a, b)
	s := snapshotOf([]snapshot.Pack{first}, refs)
	want := append(bytes.Clone(a), b...)
	got, fetched := readListing(t, v, s)
	if !bytes.Equal(got, want) || fetched < int64(len(want)) {
		t.Fatalf("%d bytes were fetched for %d", fetched, len(want))
	}
	if got, fetched = readListing(t, v, s); !bytes.Equal(got, want) || fetched != 0 {
		t.Errorf("the second time %d bytes were fetched, or others came", fetched)
	}

	// The next snapshot's listing has one new chunk in the middle, in a new pack.
	second, fresh := pack(t, v, c)
	s = snapshotOf([]snapshot.Pack{first, second}, []snapshot.ChunkRef{refs[0], fresh[0], refs[1]})
	want = append(append(bytes.Clone(a), c...), b...)
	if got, fetched = readListing(t, v, s); !bytes.Equal(got, want) || fetched < int64(len(c)) || fetched > int64(len(c))+1000 {
		t.Errorf("for a new chunk of %d bytes %d were fetched, or others came", len(c), fetched)
	}
}

// A backup promises to have read its listing back: what was read in another run,
// or from another place, proves nothing.
func TestWhatIsKnownIsNotTakenForReadBack(t *testing.T) {
	v, _ := newVault(t)
	content := tahoetest.Bytes(1, 40_000)
	p, refs := pack(t, v, content)
	s := snapshotOf([]snapshot.Pack{p}, refs)
	readListing(t, v, s)
	if _, _, err := v.Claim(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, fetched := readListing(t, v, s); fetched < int64(len(content)) {
		t.Errorf("a new run fetched %d bytes", fetched)
	}
	other, refs := pack(t, v, content)
	if _, fetched := readListing(t, v, snapshotOf([]snapshot.Pack{other}, refs)); fetched < int64(len(content)) {
		t.Errorf("of the same chunk in another pack %d bytes were fetched", fetched)
	}
}

func TestListingThatIsTooLongToKnowIsReadAllTheSame(t *testing.T) {
	maxKnown = 70_000
	t.Cleanup(func() { maxKnown = 16 << 20 })
	v, _ := newVault(t)
	var content [][]byte
	for i := range 5 {
		content = append(content, tahoetest.Bytes(uint64(i), 30_000))
	}
	p, refs := pack(t, v, content...)
	s := snapshotOf([]snapshot.Pack{p}, refs)
	for range 3 {
		got, fetched := readListing(t, v, s)
		if !bytes.Equal(got, bytes.Join(content, nil)) {
			t.Error("another listing came")
		}
		if fetched < 90_000 {
			t.Errorf("%d bytes were fetched: more is known than there is room for", fetched)
		}
	}
	if v.known.size > maxKnown {
		t.Errorf("%d bytes are known", v.known.size)
	}
}
