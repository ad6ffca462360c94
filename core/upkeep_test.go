package core

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"hiddenbackup/core/internal/treetest"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/upkeep"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
)

// secretLine is what must not be found anywhere outside the owner's hands.
const secretLine = "the source is called Aurora and lives behind the second bridge"

// keepTree is a tree with enough in it for a few packs.
func keepTree(t *testing.T, dir string) {
	t.Helper()
	big := make([]byte, 20<<20)
	rand.NewChaCha8([32]byte{7}).Read(big)
	for name, data := range map[string][]byte{
		"secret-source-list.txt": []byte(strings.Repeat(secretLine+"\n", 50)),
		"recording.wav":          big,
		"notes/interview.txt":    []byte("short"),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// shareFiles are the files a storage node keeps, without mutable ones unless
// asked for.
func (r *realGrid) shareFiles(i int) (files []string) {
	r.t.Helper()
	if err := filepath.WalkDir(filepath.Join(r.practice.NodeDir(i), "storage", "shares"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return files
}

// flip damages the middle of every large share of a node and returns how many.
func (r *realGrid) flip(i int) (n int) {
	r.t.Helper()
	for _, file := range r.shareFiles(i) {
		data, err := os.ReadFile(file)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(data) < 100_000 {
			continue
		}
		data[len(data)/2] ^= 0xff
		if err := os.WriteFile(file, data, 0o600); err != nil {
			r.t.Fatal(err)
		}
		n++
	}
	return n
}

// One life of a backup that nobody watches: shares vanish and rot, a caretaker
// and a new machine renew, and everything still comes back.
func TestRealBackupIsKeptAlive(t *testing.T) {
	r := newRealGrid(t)
	source := t.TempDir()
	keepTree(t, source)
	g := r.connect()
	if _, err := g.Backup(t.Context(), r.config, r.plan(source), nil); err != nil {
		t.Fatal(err)
	}
	check := func(p CheckPlan) CheckReport {
		t.Helper()
		report, err := g.Check(t.Context(), r.config, p, nil)
		if err != nil || report.Unrecorded != nil {
			t.Fatalf("%v, %v", err, report.Unrecorded)
		}
		return report
	}
	if c := check(CheckPlan{}); c.Err() != nil || c.Weak() || c.Worst.Servers != 3 || c.Worst.Operators != 0 || c.Servers != 6 || c.Newest.Sequence != 1 || c.Packs < 2 {
		t.Errorf("fresh: %+v", c)
	}

	file, err := g.ShareCare(t.Context(), r.config, "something to look after", "Ben")
	if err != nil {
		t.Fatal(err)
	}
	care := func() CareReport {
		t.Helper()
		k, err := ConnectCaretaker(t.Context(), r.config, file, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		report, err := k.Care(t.Context(), false, nil)
		if err != nil || report.List != nil {
			t.Fatalf("%v, %v", err, report.List)
		}
		return report
	}

	// A disk is lost: the caretaker makes its shares again, those of a pack
	// that came after she got her file, too.
	later := filepath.Join(source, "later.txt")
	if err := os.WriteFile(later, []byte("written after the caretaker was asked"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Backup(t.Context(), r.config, r.plan(source), nil); err != nil {
		t.Fatal(err)
	}
	for _, share := range r.shareFiles(0) {
		if err := os.Remove(share); err != nil {
			t.Fatal(err)
		}
	}
	if c := check(CheckPlan{}); !c.Weak() || c.Worst.Servers != 2 {
		t.Errorf("with one disk lost: %+v", c.Report)
	}
	cared := care()
	if cared.States[upkeep.Lost]+cared.States[upkeep.Damaged] != 0 || len(cared.Findings) == 0 || !cared.Renewed {
		t.Errorf("cared: %+v", cared.Report)
	}
	if c := check(CheckPlan{}); c.Worst.Servers != 3 || len(c.Of(upkeep.Weak)) > 1 { // the directory is the owner's
		t.Errorf("after the caretaker: %+v", c.Report)
	}

	// A disk rots: only reading finds it, and what it held gets a new place.
	if r.flip(1) == 0 {
		t.Fatal("there is nothing to damage")
	}
	if c := check(CheckPlan{}); c.States[upkeep.Damaged] != 0 {
		t.Errorf("a check without reading claims to know: %+v", c.States)
	}
	c := check(CheckPlan{Download: true, Repair: true, Renew: true})
	if c.Err() != nil || c.Weak() || len(c.Replaced) == 0 || len(c.Reissued) != 2 || !c.Renewed {
		t.Errorf("rotten: replaced %v, reissued %v, %+v", c.Replaced, c.Reissued, c.States)
	}
	if c := check(CheckPlan{Download: true}); c.Err() != nil || c.Weak() || c.Read != c.Packs {
		t.Errorf("after the repair: %+v", c.Report)
	}
	if cared := care(); len(cared.Findings) != 0 || cared.Objects < c.Objects {
		t.Errorf("the caretaker does not know the new places: %+v", cared.Report)
	}

	p, err := g.Proofs(t.Context())
	if err != nil || p.Checked.Snapshot != 2 || p.Checked.Read != p.Checked.Packs || p.Renewed.IsZero() || len(p.Receipts) != 1 || p.Leases.Before(p.Renewed.Add(LeaseTime)) {
		t.Errorf("recorded: %+v, %v", p, err)
	}

	// Owner, caretaker and a machine that knows only the manifest renewed all
	// that in turn, and each share still has one lease.
	if _, err := r.connect().Check(t.Context(), r.config, CheckPlan{Renew: true}, nil); err != nil {
		t.Fatal(err)
	}
	r.leases(g, 1)
	other := *file
	if other.LeaseSecret, err = manifest.NewSecret(nil); err != nil {
		t.Fatal(err)
	}
	file = &other
	care()
	r.leases(g, 2) // which shows that the count above would notice

	for i := range 3 {
		if err := r.practice.KillNode(i); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	if rr, err := restoreNewest(t.Context(), r.connect(), out); err != nil || rr.ProblemCount != 0 {
		t.Fatalf("%v, %v", err, rr.Problems)
	}
	treetest.Same(t, source, filepath.Join(out, "papers"))
}

// leases counts the leases of the shares that one node keeps of what the vault
// needs.
func (r *realGrid) leases(g *Grid, want int) {
	r.t.Helper()
	_, inv, err := g.inventory(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	looked, immutable := 0, 0
	for _, file := range r.shareFiles(3) {
		index := filepath.Base(filepath.Dir(file))
		if !slices.ContainsFunc(inv.Objects, func(o vault.Object) bool { si, _ := o.Cap.StorageIndex(); return si == index }) {
			continue // of what was replaced
		}
		data, err := os.ReadFile(file)
		if err != nil {
			r.t.Fatal(err)
		}
		// Tahoe's own tool takes a second: it is asked for mutable shares, and
		// for one of those whose header says the number.
		mutable := bytes.HasPrefix(data, []byte("Tahoe mutable container"))
		if n := int(binary.BigEndian.Uint32(data[8:12])); !mutable && n != want {
			r.t.Errorf("%d leases on a share, want %d", n, want)
		}
		if mutable || immutable == 0 {
			if n, said := r.dumpedLeases(file); n != want {
				r.t.Errorf("%d leases on a share, want %d:\n%s", n, want, said)
			}
		}
		if !mutable {
			immutable++
		}
		looked++
	}
	if looked < 5 || immutable == 0 || immutable == looked {
		r.t.Errorf("only %d shares were looked at, %d of them immutable", looked, immutable)
	}
}

// dumpedLeases is how many leases Tahoe's own tool finds.
func (r *realGrid) dumpedLeases(file string) (n int, said string) {
	r.t.Helper()
	tahoe, err := node.FindTahoe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := exec.CommandContext(r.t.Context(), tahoe, "debug", "dump-share", "--leases-only", file).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return strings.Count(string(out), "expire in") + strings.Count(string(out), "expires in"), string(out)
}

// leaks looks for words in everything a caretaker and all servers together
// have: her file, what her capabilities read, and the disks; also inside what
// was merely compressed.
func (r *realGrid) leaks(file *manifest.Caretaker, words ...string) (found []string) {
	r.t.Helper()
	plain, err := manifest.EncodePlain(file)
	if err != nil {
		r.t.Fatal(err)
	}
	haystacks := [][]byte{plain}
	k, err := ConnectCaretaker(r.t.Context(), r.config, file, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer k.Close()
	if err := k.WaitToRead(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	key := snapshot.CareKey(file.CareKey.Bytes())
	objects, err := vault.CareObjects(r.t.Context(), k.client, file.Vault, key)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, o := range objects {
		if o.Kind == vault.KindDirectory {
			children, err := k.client.ReadDir(r.t.Context(), o.Cap)
			if err != nil {
				r.t.Fatal(err)
			}
			for name, child := range children {
				haystacks = append(haystacks, []byte(name), []byte(fmt.Sprint(child.Metadata)))
			}
			continue
		}
		size, _ := o.Cap.Size()
		data, err := k.client.ReadAll(r.t.Context(), o.Cap, 0, size)
		if err != nil {
			r.t.Fatal(err)
		}
		haystacks = append(haystacks, data)
	}
	if len(haystacks) < 5 {
		r.t.Fatalf("the caretaker sees %d objects only", len(objects))
	}
	for i := range 6 {
		for _, share := range r.shareFiles(i) {
			data, err := os.ReadFile(share)
			if err != nil {
				r.t.Fatal(err)
			}
			haystacks = append(haystacks, data)
		}
	}
	for _, h := range haystacks {
		for _, text := range append(unpacked(h), h) {
			for _, w := range words {
				if bytes.Contains(text, []byte(w)) {
					found = append(found, w)
				}
			}
		}
	}
	return found
}

// unpacked returns what looks like compressed data inside data, decompressed.
func unpacked(data []byte) (texts [][]byte) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		panic(err)
	}
	defer d.Close()
	for rest := data; ; {
		i := bytes.Index(rest, []byte{0x28, 0xb5, 0x2f, 0xfd})
		if i < 0 {
			return texts
		}
		text, _ := d.DecodeAll(rest[i:], nil) // with what follows the frame it fails, and gives the frame
		texts = append(texts, text)
		rest = rest[i+1:]
	}
}

// The promise to the owner: caretakers and servers, all of them together, learn
// nothing but sizes and times. And the proof that this test would notice: the
// same content stored without our seal is found.
func TestCaretakerAndAllServersReadNothing(t *testing.T) {
	r := newRealGrid(t)
	source := t.TempDir()
	keepTree(t, source)
	g := r.connect()
	if _, err := g.Backup(t.Context(), r.config, r.plan(source), nil); err != nil {
		t.Fatal(err)
	}
	file, err := g.ShareCare(t.Context(), r.config, "care", "")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"Aurora", "second bridge", "secret-source-list", "interview", "papers", source}
	if found := r.leaks(file, words...); len(found) > 0 {
		t.Errorf("a caretaker and the servers find %q", found)
	}
	root := r.manifest.RootSecret.Base32()
	if found := r.leaks(file, root, r.manifest.Vault.Secret(), r.manifest.Gateway.Convergence.Base32()); len(found) > 0 {
		t.Errorf("they find the owner's secrets")
	}

	// The seal is off: packs of compressed text, and a plain list of names.
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(source, "secret-source-list.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var naked []tahoeclient.Cap
	for _, data := range [][]byte{append([]byte("pack"), enc.EncodeAll(content, nil)...), []byte("papers/secret-source-list.txt, papers/notes/interview.txt, and so on")} {
		c, err := g.client.Put(t.Context(), bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		naked = append(naked, c)
	}
	sealed, err := g.access.keys.CareKey().Seal(naked)
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.client.Put(t.Context(), bytes.NewReader(sealed), int64(len(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := g.client.MakeDir(t.Context(), map[string]tahoeclient.Child{"care": {Cap: list}, "snapshot-1": {Cap: naked[1]}, "config": {Cap: naked[0]}})
	if err != nil {
		t.Fatal(err)
	}
	careless := *file
	if careless.Vault, err = dir.ReadOnly(); err != nil {
		t.Fatal(err)
	}
	if found := r.leaks(&careless, "Aurora", "secret-source-list"); len(found) < 2 {
		t.Errorf("without the seal only %q is found: the search above proves nothing", found)
	}
}

func TestPowersAreKeptApart(t *testing.T) {
	r := newRealGrid(t)
	g := r.connect()
	reader, err := r.manifest.Reader()
	if err != nil {
		t.Fatal(err)
	}
	access, err := NewAccess(&manifest.Opened{Power: manifest.PowerReader, Reader: reader})
	if err != nil {
		t.Fatal(err)
	}
	read, err := Connect(t.Context(), r.config, access, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	ctx := t.Context()
	for name, try := range map[string]func() error{
		"repair":  func() error { _, err := read.Check(ctx, r.config, CheckPlan{Repair: true}, nil); return err },
		"renew":   func() error { _, err := read.Check(ctx, r.config, CheckPlan{Renew: true}, nil); return err },
		"share":   func() error { _, err := read.ShareCare(ctx, r.config, "x", ""); return err },
		"recall":  func() error { return read.RecordRecall(ctx, r.config) },
		"confirm": func() error { return read.Confirm(ctx, r.config, Receipt{Name: "x", Confirmed: now()}, nil, "") },
		"ready":   func() error { _, err := read.Ready(ctx, ReadyPlan{}, nil); return err },
	} {
		if err := try(); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s with a reader's manifest: %v", name, err)
		}
	}
	if c, err := read.Check(ctx, r.config, CheckPlan{}, nil); err != nil || c.Objects < 2 {
		t.Errorf("checking with a reader's manifest: %v", err)
	}
	file, err := g.ShareCare(ctx, r.config, "care", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewAccess(&manifest.Opened{Power: manifest.PowerCaretaker, Caretaker: file}); !errors.Is(err, manifest.ErrPower) {
		t.Errorf("restoring with a caretaker's file: %v", err)
	}
	if err := read.amend(context.Background(), r.config, nil); !errors.Is(err, ErrReadOnly) {
		t.Error(fmt.Sprint(err))
	}
}
