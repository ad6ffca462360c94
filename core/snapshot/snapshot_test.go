package snapshot

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
)

func testKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := NewKeys([32]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestChunkComesBackOrIsRefused(t *testing.T) {
	k := testKeys(t)
	for name, plain := range map[string][]byte{
		"one byte":     {7},
		"text":         []byte(strings.Repeat("the same words again ", 5000)),
		"300 bytes":    randomBytes(300),
		"random":       randomBytes(MinChunk),
		"largest":      randomBytes(MaxChunk),
		"largest text": bytes.Repeat([]byte("x"), MaxChunk),
	} {
		for _, compress := range []bool{true, false} {
			sealed := k.SealChunk(nil, plain, compress)
			if len(sealed) > len(plain)+SealOverhead {
				t.Errorf("%s: sealing %d bytes gave %d", name, len(plain), len(sealed))
			}
			ref := ChunkRef{ID: IDOf(plain), Length: int64(len(plain)), Sealed: uint32(len(sealed))}
			got, err := k.OpenChunk([]byte("before"), sealed, ref)
			if err != nil || !bytes.Equal(got, append([]byte("before"), plain...)) {
				t.Fatalf("%s: came back different, %v", name, err)
			}
			for _, at := range []int{0, 23, 24, len(sealed) / 2, len(sealed) - 1} {
				bad := bytes.Clone(sealed)
				bad[at] ^= 1
				if _, err := k.OpenChunk(nil, bad, ref); !errors.Is(err, ErrSeal) {
					t.Errorf("%s: byte %d altered: %v", name, at, err)
				}
			}
			other := ref
			other.ID[0] ^= 1
			if _, err := k.OpenChunk(nil, sealed, other); !errors.Is(err, ErrChunk) {
				t.Errorf("%s: another chunk in its place: %v", name, err)
			}
			shorter := ref
			shorter.Length--
			if _, err := k.OpenChunk(nil, sealed, shorter); err == nil {
				t.Errorf("%s: longer than it says was accepted", name)
			}
		}
	}
}

func TestObjectsOfOneKindDoNotOpenAsAnother(t *testing.T) {
	k := testKeys(t)
	plain := []byte("some bytes that are a chunk")
	sealed := k.SealChunk(nil, plain, true)
	if _, _, err := k.ReadFooter(sealed); !errors.Is(err, ErrSeal) {
		t.Errorf("a chunk opened as a footer: %v", err)
	}
	if _, err := k.OpenSnapshot(sealed); !errors.Is(err, ErrSeal) {
		t.Errorf("a chunk opened as a snapshot: %v", err)
	}
	record, err := k.SealRecord("config", map[string]int{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]int
	if err := k.OpenRecord("checkpoint", record, &v); !errors.Is(err, ErrSeal) {
		t.Errorf("a config opened as a checkpoint: %v", err)
	}
	strange, err := NewKeys([32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	if err := strange.OpenRecord("config", record, &v); !errors.Is(err, ErrSeal) {
		t.Errorf("another vault's config opened: %v", err)
	}
	if err := k.OpenRecord("config", record, &v); err != nil || v["a"] != 1 {
		t.Errorf("the config did not come back: %v %v", v, err)
	}
}

func TestPackListsItsChunksAndHidesThem(t *testing.T) {
	k := testKeys(t)
	p := k.NewPack(nil)
	var refs []ChunkRef
	plains := [][]byte{[]byte("alpha"), bytes.Repeat([]byte("beta "), 60000), randomBytes(2 << 20)}
	for _, plain := range plains {
		sealed := k.SealChunk(nil, plain, true)
		if !p.Fits(len(sealed)) {
			t.Fatal("a pack too small for three chunks")
		}
		refs = append(refs, p.Add(IDOf(plain), sealed, len(plain)))
	}
	data, err := p.Finish(false)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != Padme(len(data)) {
		t.Errorf("a pack of %d bytes is not padded", len(data))
	}
	off, n, err := TrailerRange(int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	off, n, err = k.ReadTrailer(data[off:off+n], int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	id, got, err := k.ReadFooter(data[off : off+n])
	if err != nil || id != p.ID() || !slices.Equal(got, refs) {
		t.Fatalf("footer lists %v, want %v (%v)", got, refs, err)
	}
	for i, ref := range got {
		plain, err := k.OpenChunk(nil, data[ref.Offset:ref.Offset+ref.Sealed], ref)
		if err != nil || !bytes.Equal(plain, plains[i]) {
			t.Errorf("chunk %d came back different: %v", i, err)
		}
	}
	if bytes.Contains(data, []byte("beta beta")) || bytes.Contains(data, refs[0].ID[:8]) {
		t.Error("the pack shows content or a chunk's name")
	}
}

func TestFullPacksHaveOneSize(t *testing.T) {
	k := testKeys(t)
	for _, size := range []int{200, 5000, MinChunk, 1 << 20, MaxChunk} {
		p := k.NewPack(nil)
		sealed := k.SealChunk(nil, randomBytes(size), false)
		for p.Fits(len(sealed)) {
			p.Add(ChunkID(randomBytes(32)), sealed, size)
		}
		data, err := p.Finish(true)
		if err != nil || len(data) != PackSize {
			t.Errorf("pack of %d byte chunks: %d bytes, %v", size, len(data), err)
		}
	}
}

func TestPadmeNeverShrinksAndCostsLittle(t *testing.T) {
	for n := range 100_000 {
		p := Padme(n)
		if p < n || p != Padme(p) || n > 64 && float64(p) > 1.13*float64(n) {
			t.Fatalf("Padme(%d) = %d", n, p)
		}
	}
}

func TestPathOrderIsTheOrderOfAWalk(t *testing.T) {
	want := []string{"a", "a/b", "a/b/c", "a/b.c", "a/bc", "a-b", "a.b", "ab", "b", "b/\xff"}
	got := slices.Clone(want)
	mrand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, func(a, b string) int { return ComparePaths([]byte(a), []byte(b)) })
	if !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestListingRefusesHostileEntries(t *testing.T) {
	good := func() *Entry { return &Entry{Path: []byte("f/x"), Type: TypeFile, Mode: 0o644} }
	for name, spoil := range map[string]func(*Entry){
		"parent":         func(e *Entry) { e.Path = []byte("f/../x") },
		"absolute":       func(e *Entry) { e.Path = []byte("/f/x") },
		"empty":          func(e *Entry) { e.Path = nil },
		"dot":            func(e *Entry) { e.Path = []byte("f/./x") },
		"double slash":   func(e *Entry) { e.Path = []byte("f//x") },
		"trailing slash": func(e *Entry) { e.Path = []byte("f/") },
		"nul":            func(e *Entry) { e.Path = []byte("f/\x00") },
		"type":           func(e *Entry) { e.Type = 99 },
		"mode":           func(e *Entry) { e.Mode = 1 << 20 },
		"size alone":     func(e *Entry) { e.Size = 5 },
		"negative":       func(e *Entry) { e.Chunks = []ChunkRef{{Length: -5}}; e.Size = -5 },
		"overflow":       func(e *Entry) { e.Chunks = []ChunkRef{{Length: 1 << 62}, {Length: 1 << 62}}; e.Size = -1 << 63 },
		"giant chunk": func(e *Entry) {
			e.Chunks = []ChunkRef{{ID: ChunkID{1}, Sealed: 100, Length: 1 << 40}}
			e.Size = 1 << 40
		},
		"link to itself":    func(e *Entry) { e.Type = TypeHardlink; e.Target = e.Path },
		"link outside":      func(e *Entry) { e.Type = TypeHardlink; e.Target = []byte("../etc/passwd") },
		"folder with bytes": func(e *Entry) { e.Type = TypeDir; e.Size = 1 },
	} {
		e := good()
		spoil(e)
		b, err := encMode.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewListingReader(bytes.NewReader(b)).Next(); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: read as %v", name, err)
		}
		if err := NewListingWriter(io.Discard).Write(e); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: written, %v", name, err)
		}
	}
}

func TestListingComesBackInOrder(t *testing.T) {
	entries := []*Entry{
		{Path: []byte("f"), Type: TypeDir, Mode: 0o755, ModTime: Timespec{Sec: -5, Nsec: 999999999}},
		{Path: []byte("f/a\xff\n"), Type: TypeFile, Mode: 0o4755, Size: 10, Links: 2, User: "ana",
			Chunks: []ChunkRef{{ID: ChunkID{1}, Pack: PackID{2}, Offset: 3, Sealed: 100, Length: 4}, {Length: 6}},
			Xattrs: []Xattr{{Name: "user.x", Value: []byte{0, 1}}}},
		{Path: []byte("f/z"), Type: TypeHardlink, Target: []byte("f/a\xff\n")},
	}
	var buf bytes.Buffer
	w := NewListingWriter(&buf)
	for _, e := range entries {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(entries[1]); !errors.Is(err, ErrFormat) {
		t.Errorf("out of order was written: %v", err)
	}
	r := NewListingReader(bytes.NewReader(buf.Bytes()))
	for _, want := range entries {
		got, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
	cut := NewListingReader(bytes.NewReader(buf.Bytes()[:buf.Len()-3]))
	for range 2 {
		if _, err := cut.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cut.Next(); err == nil || err == io.EOF {
		t.Errorf("a cut listing ended as if it were whole: %v", err)
	}
}

// packCap is a capability of a made-up immutable file of the given size.
func packCap(t testing.TB, size int64) tahoeclient.Cap {
	t.Helper()
	c, err := tahoeclient.ParseCap(fmt.Sprintf("URI:CHK:%s:%s:3:6:%d", strings.Repeat("a", 26), strings.Repeat("a", 52), size))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testSnapshot(t testing.TB) *Snapshot {
	pack := Pack{ID: PackID{5}, Cap: packCap(t, 1<<20), Size: 1 << 20}
	return &Snapshot{
		Info:    Info{Sequence: 3, Parent: 2, Time: time.Unix(1e9, 5).UTC(), Folders: []Folder{{Name: "f", Path: "~/f", Tier: 1}}, Totals: Totals{Entries: 1}},
		Listing: []ChunkRef{{ID: ChunkID{1}, Pack: pack.ID, Offset: 10, Sealed: 100, Length: 200}},
		Packs:   map[PackID]Pack{pack.ID: pack},
	}
}

func TestSnapshotComesBackAndKeepsItsCapabilities(t *testing.T) {
	k := testKeys(t)
	want := testSnapshot(t)
	sealed, err := want.Seal(k)
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) != minObject {
		t.Errorf("a small snapshot is %d bytes, want the padded %d", len(sealed), minObject)
	}
	got, err := k.OpenSnapshot(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || got.Packs[PackID{5}].Cap != want.Packs[PackID{5}].Cap {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", got, got, got, packTable(got.Packs)); strings.Contains(text, "URI:") {
		t.Error("printing a snapshot shows a capability")
	}
}

func TestSnapshotRefusesChunksOutsideItsPacks(t *testing.T) {
	k := testKeys(t)
	for name, spoil := range map[string]func(*Snapshot){
		"unknown pack":    func(s *Snapshot) { s.Listing[0].Pack = PackID{7} },
		"beyond the pack": func(s *Snapshot) { s.Listing[0].Offset = 1 << 20 },
		"hole":            func(s *Snapshot) { s.Listing[0].ID = ChunkID{} },
		"folder name":     func(s *Snapshot) { s.Folders[0].Name = ".." },
		"size and cap": func(s *Snapshot) {
			p := s.Packs[PackID{5}]
			p.Size++
			s.Packs[PackID{5}] = p
		},
	} {
		s := testSnapshot(t)
		spoil(s)
		sealed, err := s.Seal(k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.OpenSnapshot(sealed); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: opened, %v", name, err)
		}
	}
}

func TestLaterVersionIsNamed(t *testing.T) {
	k := testKeys(t)
	sealed, err := sealPadded(&k.snapshot, func() []byte {
		b, err := encMode.Marshal(map[int]any{1: 2, 77: "new"})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.OpenSnapshot(sealed); !errors.Is(err, ErrVersion) {
		t.Errorf("got %v", err)
	}
}

func TestUnchangedListingIsCutTheSame(t *testing.T) {
	k := testKeys(t)
	listing := func(skip int) []byte {
		var buf bytes.Buffer
		w := NewListingWriter(&buf)
		for i := range 20_000 {
			if i == skip {
				continue
			}
			id := IDOf(fmt.Append(nil, i))
			e := &Entry{Path: fmt.Appendf(nil, "f/%06d", i), Type: TypeFile, Size: 5,
				Chunks: []ChunkRef{{ID: id, Sealed: 100, Length: 5}}}
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		return buf.Bytes()
	}
	cut := func(b []byte) map[ChunkID]int {
		chunks := make(map[ChunkID]int)
		if err := k.CutListing(bytes.NewReader(b), func(p []byte) error { chunks[IDOf(p)] = len(p); return nil }); err != nil {
			t.Fatal(err)
		}
		return chunks
	}
	before, after := cut(listing(-1)), cut(listing(10_000))
	fresh := 0
	for id, n := range after {
		if _, known := before[id]; !known {
			fresh += n
		}
	}
	if len(before) < 5 || fresh > 512<<10 {
		t.Errorf("one entry less makes %d bytes of %d chunks new", fresh, len(after))
	}
}

func FuzzListing(f *testing.F) {
	b, err := encMode.Marshal(&Entry{Path: []byte("f/x"), Type: TypeFile})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewListingReader(bytes.NewReader(b))
		for {
			e, err := r.Next()
			if err != nil {
				return
			}
			if CheckPath(e.Path) != nil {
				t.Fatalf("accepted the path %q", e.Path)
			}
		}
	})
}
