package tahoetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hiddenbackup/tahoeclient"
)

// Conformance tests what clients rely on. newClient returns a client of a
// gateway that can store; it is called for each part, and may return a client
// of the same gateway each time.
func Conformance(t *testing.T, newClient func(t *testing.T) *tahoeclient.Client) {
	parts := []struct {
		name string
		test func(t *testing.T, c *tahoeclient.Client)
	}{
		{"FilesComeBack", filesComeBack},
		{"SameBytesSameCap", sameBytesSameCap},
		{"Ranges", ranges},
		{"RangesOutsideFail", rangesOutsideFail},
		{"ParallelFiles", parallelFiles},
		{"UnknownFileIsGone", unknownFileIsGone},
		{"DirectoriesHoldChildren", directoriesHoldChildren},
		{"ReplaceIsRefused", replaceIsRefused},
		{"SeveralChildrenInOneUpdate", severalChildren},
		{"Unlink", unlink},
		{"MetadataSurvives", metadataSurvives},
		{"ReaderOfADirectoryCannotWrite", readerCannotWrite},
		{"DirectoryInDirectory", directoryInDirectory},
		{"UnknownDirectory", unknownDirectory},
		{"DerivedCapabilities", derivedCapabilities},
		{"CheckAndLease", checkAndLease},
		{"CheckOfNothing", checkOfNothing},
		{"GridStatus", gridStatus},
		{"Cancel", cancelled},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { p.test(t, newClient(t)) })
	}
}

// Bytes returns n bytes that do not repeat. The same seed gives the same bytes.
func Bytes(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	data := make([]byte, n)
	rand.NewChaCha8(key).Read(data)
	return data
}

// fresh returns bytes that no earlier run has stored.
func fresh(n int) []byte { return Bytes(rand.Uint64(), n) }

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must[V any](t *testing.T) func(v V, err error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func put(t *testing.T, c *tahoeclient.Client, data []byte) tahoeclient.Cap {
	t.Helper()
	return must[tahoeclient.Cap](t)(c.Put(testContext(t), bytes.NewReader(data), int64(len(data))))
}

func makeDir(t *testing.T, c *tahoeclient.Client, children map[string]tahoeclient.Child) tahoeclient.Cap {
	t.Helper()
	return must[tahoeclient.Cap](t)(c.MakeDir(testContext(t), children))
}

func list(t *testing.T, c *tahoeclient.Client, dir tahoeclient.Cap) map[string]tahoeclient.Child {
	t.Helper()
	return must[map[string]tahoeclient.Child](t)(c.ReadDir(testContext(t), dir))
}

func wantError(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

func wantNames(t *testing.T, children map[string]tahoeclient.Child, names ...string) {
	t.Helper()
	got := slices.Sorted(maps.Keys(children))
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("got children %q, want %q", got, names)
	}
}

func filesComeBack(t *testing.T, c *tahoeclient.Client) {
	for _, size := range []int{0, 1, 55, 56, 10_000, 131_073, 3<<20 + 17} {
		data := fresh(size)
		file := put(t, c, data)
		wantKind := tahoeclient.KindCHK
		if size <= 55 {
			wantKind = tahoeclient.KindLIT
		}
		if file.Kind() != wantKind {
			t.Errorf("%d bytes became %v", size, file)
		}
		if n, ok := file.Size(); !ok || n != int64(size) {
			t.Errorf("%d bytes became %d", size, n)
		}
		if again, err := tahoeclient.ParseCap(file.Secret()); err != nil || again != file {
			t.Errorf("%d bytes: the capability does not parse again: %v", size, err)
		}
		got, err := c.ReadAll(testContext(t), file, 0, -1)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back changed", size)
		}
		body := must[io.ReadCloser](t)(c.Get(testContext(t), file, 0, -1))
		got, err = io.ReadAll(body)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back changed from Get: %v", size, err)
		}
		body.Close()
	}
}

func sameBytesSameCap(t *testing.T, c *tahoeclient.Client) {
	data := fresh(1000)
	a, b := put(t, c, data), put(t, c, data)
	if a != b {
		t.Errorf("the same bytes became %v and %v", a, b)
	}
	data[500] ^= 1
	if other := put(t, c, data); other == a {
		t.Error("other bytes got the same capability")
	}
}

func ranges(t *testing.T, c *tahoeclient.Client) {
	data := fresh(300_000)
	file := put(t, c, data)
	small := fresh(40)
	literal := put(t, c, small)
	for _, r := range []struct{ off, n int64 }{
		{0, 1}, {0, 300_000}, {299_999, 1}, {131_070, 10}, {100_000, 131_072}, {7, 0}, {300_000, 0},
	} {
		got, err := c.ReadAll(testContext(t), file, r.off, r.n)
		if err != nil || !bytes.Equal(got, data[r.off:r.off+r.n]) {
			t.Errorf("%d bytes from %d: got %d bytes, equal %v, error %v", r.n, r.off, len(got),
				bytes.Equal(got, data[r.off:r.off+r.n]), err)
		}
	}
	for _, off := range []int64{0, 1, 299_999, 300_000} {
		got, err := c.ReadAll(testContext(t), file, off, -1)
		if err != nil || !bytes.Equal(got, data[off:]) {
			t.Errorf("from %d to the end: got %d bytes, error %v", off, len(got), err)
		}
	}
	got, err := c.ReadAll(testContext(t), literal, 10, 20)
	if err != nil || !bytes.Equal(got, small[10:30]) {
		t.Errorf("part of a literal: %v", err)
	}
}

func rangesOutsideFail(t *testing.T, c *tahoeclient.Client) {
	file := put(t, c, fresh(1000))
	for _, r := range []struct{ off, n int64 }{{0, 1001}, {1000, 1}, {1001, 0}, {-1, 5}, {999, 1 << 62}, {5000, -1}} {
		got, err := c.ReadAll(testContext(t), file, r.off, r.n)
		if err == nil {
			t.Errorf("%d bytes from %d of 1000: got %d bytes", r.n, r.off, len(got))
		}
		if tahoeclient.Temporary(err) {
			t.Errorf("%d bytes from %d of 1000: %v is called temporary", r.n, r.off, err)
		}
	}
}

func parallelFiles(t *testing.T, c *tahoeclient.Client) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx := testContext(t)
			data := fresh(50_000 + i)
			file, err := c.Put(ctx, bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Error(err)
				return
			}
			got, err := c.ReadAll(ctx, file, 0, -1)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("file %d did not come back: %v", i, err)
			}
		}()
	}
	wg.Wait()
}

// unstored is a well-formed capability of nothing.
func unstored(t *testing.T, kind string) tahoeclient.Cap {
	t.Helper()
	data := fresh(48)
	text := fmt.Sprintf("URI:%s:%s:%s", kind, base32Lower.EncodeToString(data[:16]), base32Lower.EncodeToString(data[16:]))
	if strings.HasSuffix(kind, "CHK") {
		text += ":3:5:1000"
	}
	return must[tahoeclient.Cap](t)(tahoeclient.ParseCap(text))
}

func unknownFileIsGone(t *testing.T, c *tahoeclient.Client) {
	_, err := c.ReadAll(testContext(t), unstored(t, "CHK"), 0, -1)
	wantError(t, err, tahoeclient.ErrGone)
	_, err = c.Get(testContext(t), unstored(t, "DIR2"), 0, -1)
	wantError(t, err, tahoeclient.ErrBadCap)
	_, err = c.Get(testContext(t), tahoeclient.Cap{}, 0, -1)
	wantError(t, err, tahoeclient.ErrBadCap)
}

func directoriesHoldChildren(t *testing.T, c *tahoeclient.Client) {
	a, b := put(t, c, fresh(100)), put(t, c, []byte("literal"))
	dir := makeDir(t, c, map[string]tahoeclient.Child{"a": {Cap: a}})
	if dir.Kind() != tahoeclient.KindDir2 || !dir.CanWrite() {
		t.Fatalf("a directory is %v", dir)
	}
	if err := c.Link(testContext(t), dir, "with spaces & (signs) %41?=#+", b, false); err != nil {
		t.Fatal(err)
	}
	got := list(t, c, dir)
	wantNames(t, got, "a", "with spaces & (signs) %41?=#+")
	if got["a"].Cap != a || got["with spaces & (signs) %41?=#+"].Cap != b {
		t.Errorf("children changed their capabilities: %v", got)
	}
	if _, err := c.MakeDir(testContext(t), nil); err == nil {
		t.Error("made an empty directory")
	}
}

func replaceIsRefused(t *testing.T, c *tahoeclient.Client) {
	a, b := put(t, c, fresh(100)), put(t, c, fresh(100))
	dir := makeDir(t, c, map[string]tahoeclient.Child{"a": {Cap: a}})
	wantError(t, c.Link(testContext(t), dir, "a", b, false), tahoeclient.ErrConflict)
	// One taken name refuses them all.
	err := c.SetChildren(testContext(t), dir, map[string]tahoeclient.Child{"a": {Cap: b}, "new": {Cap: b}}, false)
	wantError(t, err, tahoeclient.ErrConflict)
	got := list(t, c, dir)
	wantNames(t, got, "a")
	if got["a"].Cap != a {
		t.Error("a was replaced")
	}
	if err := c.Link(testContext(t), dir, "a", b, true); err != nil {
		t.Fatal(err)
	}
	if got := list(t, c, dir); got["a"].Cap != b {
		t.Error("a was not replaced")
	}
}

func severalChildren(t *testing.T, c *tahoeclient.Client) {
	a := put(t, c, fresh(100))
	dir := makeDir(t, c, map[string]tahoeclient.Child{"first": {Cap: a}})
	many := make(map[string]tahoeclient.Child)
	want := []string{"first"}
	for i := range 200 {
		name := fmt.Sprintf("child-%03d", i)
		many[name] = tahoeclient.Child{Cap: a, Metadata: map[string]any{"n": float64(i)}}
		want = append(want, name)
	}
	if err := c.SetChildren(testContext(t), dir, many, false); err != nil {
		t.Fatal(err)
	}
	got := list(t, c, dir)
	wantNames(t, got, want...)
	for name := range many {
		if got[name].Cap != a || got[name].Metadata["n"] != many[name].Metadata["n"] {
			t.Fatalf("%s is %v %v", name, got[name].Cap, got[name].Metadata)
		}
	}
	if err := c.SetChildren(testContext(t), dir, nil, true); err != nil {
		t.Errorf("setting no children: %v", err)
	}
}

func unlink(t *testing.T, c *tahoeclient.Client) {
	a := put(t, c, fresh(100))
	dir := makeDir(t, c, map[string]tahoeclient.Child{"a": {Cap: a}, "b": {Cap: a}})
	if err := c.Unlink(testContext(t), dir, "a"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, list(t, c, dir), "b")
	wantError(t, c.Unlink(testContext(t), dir, "a"), tahoeclient.ErrNoChild)
	if err := c.Unlink(testContext(t), dir, "b"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, list(t, c, dir)) // an emptied directory can be read
}

func metadataSurvives(t *testing.T, c *tahoeclient.Client) {
	a, b := put(t, c, fresh(100)), put(t, c, fresh(100))
	meta := map[string]any{"text": "grüße \u2603", "n": 1.5, "list": []any{"x", true, nil}, "deep": map[string]any{"k": "v"}}
	dir := makeDir(t, c, map[string]tahoeclient.Child{"made": {Cap: a, Metadata: meta}})
	if err := c.SetChildren(testContext(t), dir, map[string]tahoeclient.Child{"set": {Cap: a, Metadata: meta}}, false); err != nil {
		t.Fatal(err)
	}
	check := func(name string) {
		t.Helper()
		got := list(t, c, dir)[name].Metadata
		delete(got, "tahoe")
		if fmt.Sprint(got) != fmt.Sprint(meta) {
			t.Errorf("metadata of %s is %v, want %v", name, got, meta)
		}
	}
	check("made")
	check("set")
	// A new capability without metadata keeps what was there.
	if err := c.Link(testContext(t), dir, "set", b, true); err != nil {
		t.Fatal(err)
	}
	check("set")
	// Empty metadata empties it.
	err := c.SetChildren(testContext(t), dir, map[string]tahoeclient.Child{"set": {Cap: b, Metadata: map[string]any{}}}, true)
	if err != nil {
		t.Fatal(err)
	}
	got := list(t, c, dir)["set"].Metadata
	delete(got, "tahoe")
	if len(got) != 0 {
		t.Errorf("emptied metadata is %v", got)
	}
}

func readerCannotWrite(t *testing.T, c *tahoeclient.Client) {
	a := put(t, c, fresh(100))
	inner := makeDir(t, c, map[string]tahoeclient.Child{"a": {Cap: a}})
	dir := makeDir(t, c, map[string]tahoeclient.Child{"a": {Cap: a}, "inner": {Cap: inner}})
	readOnly := must[tahoeclient.Cap](t)(dir.ReadOnly())
	got := list(t, c, readOnly)
	wantNames(t, got, "a", "inner")
	if got["inner"].Cap.CanWrite() {
		t.Error("a reader of the directory may write a child")
	}
	if want, err := inner.ReadOnly(); err != nil || got["inner"].Cap != want {
		t.Errorf("a reader sees %v, want %v", got["inner"].Cap, want)
	}
	wantError(t, c.Link(testContext(t), readOnly, "b", a, false), tahoeclient.ErrNotWritable)
	wantError(t, c.Unlink(testContext(t), readOnly, "a"), tahoeclient.ErrNotWritable)
	wantNames(t, list(t, c, dir), "a", "inner")
}

func directoryInDirectory(t *testing.T, c *tahoeclient.Client) {
	a := put(t, c, fresh(100))
	inner := makeDir(t, c, map[string]tahoeclient.Child{"a": {Cap: a}})
	innerRead := must[tahoeclient.Cap](t)(inner.ReadOnly())
	dir := makeDir(t, c, map[string]tahoeclient.Child{"write": {Cap: inner}})
	if err := c.Link(testContext(t), dir, "read", innerRead, false); err != nil {
		t.Fatal(err)
	}
	got := list(t, c, dir)
	if got["write"].Cap != inner || got["read"].Cap != innerRead {
		t.Errorf("children became %v and %v", got["write"].Cap, got["read"].Cap)
	}
}

func unknownDirectory(t *testing.T, c *tahoeclient.Client) {
	nothing := unstored(t, "DIR2")
	_, err := c.ReadDir(testContext(t), nothing)
	wantError(t, err, tahoeclient.ErrNotEnoughShares)
	err = c.Link(testContext(t), nothing, "a", put(t, c, fresh(100)), false)
	wantError(t, err, tahoeclient.ErrNotEnoughShares)
	_, err = c.ReadDir(testContext(t), put(t, c, fresh(100)))
	wantError(t, err, tahoeclient.ErrBadCap)
}

func derivedCapabilities(t *testing.T, c *tahoeclient.Client) {
	file := put(t, c, fresh(1000))
	dir := makeDir(t, c, map[string]tahoeclient.Child{"a": {Cap: file}})
	dirRead := must[tahoeclient.Cap](t)(dir.ReadOnly())
	for _, at := range []tahoeclient.Cap{file, put(t, c, []byte("literal")), dir, dirRead} {
		d := must[tahoeclient.Description](t)(c.Describe(testContext(t), at))
		readOnly := must[tahoeclient.Cap](t)(at.ReadOnly())
		if d.ReadOnly != readOnly {
			t.Errorf("to read %v the gateway says %v, we say %v", at, d.ReadOnly, readOnly)
		}
		if verify, _ := at.Verifier(); d.Verify != verify {
			t.Errorf("to verify %v the gateway says %v, we say %v", at, d.Verify, verify)
		}
		if at.CanWrite() != !d.ReadWrite.IsZero() || at.IsMutable() != d.Mutable {
			t.Errorf("%v: the gateway says %+v", at, d)
		}
		if size, ok := at.Size(); ok && size != d.Size {
			t.Errorf("%v: the gateway says %d bytes, we say %d", at, d.Size, size)
		}
	}
}

func checkAndLease(t *testing.T, c *tahoeclient.Client) {
	file := put(t, c, fresh(10_000))
	dir := makeDir(t, c, map[string]tahoeclient.Child{"a": {Cap: file}})
	dirRead := must[tahoeclient.Cap](t)(dir.ReadOnly())
	for _, o := range []tahoeclient.CheckOptions{{}, {Verify: true}, {AddLease: true}, {Verify: true, Repair: true, AddLease: true}} {
		for _, at := range []tahoeclient.Cap{file, put(t, c, []byte("literal")), dir, dirRead} {
			h, err := c.Check(testContext(t), at, o)
			if o.Repair && at == dirRead {
				wantError(t, err, tahoeclient.ErrNotWritable)
				continue
			}
			if err != nil {
				t.Fatalf("%v %+v: %v", at, o, err)
			}
			if !h.Healthy || !h.Recoverable || (h.Repair != nil) != o.Repair {
				t.Errorf("%v %+v: %+v", at, o, h)
			}
			if at.Kind() == tahoeclient.KindLIT {
				continue
			}
			if h.SharesGood < h.SharesNeeded || h.SharesGood != h.SharesTotal || h.SharesNeeded < 1 ||
				h.GoodHosts < 1 || h.Happiness < 1 || len(h.RespondingServers) < 1 ||
				len(h.ShareMap) != h.SharesGood || h.RecoverableVersions != 1 || h.UnrecoverableVersions != 0 {
				t.Errorf("%v %+v: %+v", at, o, h)
			}
		}
	}
	verify := must[tahoeclient.Cap](t)(file.Verifier())
	_, err := c.Check(testContext(t), verify, tahoeclient.CheckOptions{})
	wantError(t, err, tahoeclient.ErrBadCap)
}

func checkOfNothing(t *testing.T, c *tahoeclient.Client) {
	for _, o := range []tahoeclient.CheckOptions{{}, {Verify: true}, {AddLease: true}, {Repair: true}, {Verify: true, Repair: true}} {
		for _, kind := range []string{"CHK", "DIR2"} {
			h, err := c.Check(testContext(t), unstored(t, kind), o)
			if err != nil || h.Healthy || h.Recoverable || h.SharesGood != 0 || h.RecoverableVersions != 0 || len(h.RespondingServers) == 0 {
				t.Errorf("%s %+v: %+v, %v", kind, o, h, err)
			}
			if o.Repair && (h.Repair == nil || !h.Repair.Attempted || h.Repair.Successful) {
				t.Errorf("%s %+v: repair %+v", kind, o, h.Repair)
			}
		}
	}
}

func gridStatus(t *testing.T, c *tahoeclient.Client) {
	g := must[tahoeclient.GridStatus](t)(c.Grid(testContext(t)))
	if g.Usable() < 1 || g.Usable() > len(g.Servers) {
		t.Errorf("%d of %d servers are usable", g.Usable(), len(g.Servers))
	}
	for _, s := range g.Servers {
		if s.ID == "" || s.Status == "" || (s.Connected && s.Version == "") {
			t.Errorf("server %+v", s)
		}
		if s.Connected && time.Since(s.LastReceived).Abs() > time.Hour {
			t.Errorf("server %s last sent something at %v", s.Nickname, s.LastReceived)
		}
	}
	version := must[string](t)(c.Version(testContext(t)))
	if !strings.HasPrefix(version, "tahoe-lafs/1.") {
		t.Errorf("the gateway is %q", version)
	}
}

func cancelled(t *testing.T, c *tahoeclient.Client) {
	file := put(t, c, fresh(2<<20))
	why := errors.New("the person pressed Stop")
	ctx, cancel := context.WithCancelCause(testContext(t))
	body := must[io.ReadCloser](t)(c.Get(ctx, file, 0, -1))
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel(why)
	// What was there already may still come, but not the whole.
	_, err := c.ReadAll(ctx, file, 0, -1)
	for _, want := range []error{context.Canceled, why} {
		wantError(t, err, want)
	}
	data := fresh(1000)
	_, err = c.Put(ctx, bytes.NewReader(data), 1000)
	wantError(t, err, context.Canceled)
	_, err = c.ReadDir(ctx, unstored(t, "DIR2"))
	wantError(t, err, context.Canceled)
	wantError(t, c.Unlink(ctx, unstored(t, "DIR2"), "a"), context.Canceled)
}
