package localfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

func rules(t *testing.T, lines ...string) []Rule {
	t.Helper()
	var all []Rule
	for _, l := range lines {
		r, err := ParseRule(l)
		if err != nil {
			t.Fatal(err)
		}
		if r.String() != l {
			t.Errorf("%q became %q", l, r)
		}
		all = append(all, r)
	}
	return all
}

func expect(t *testing.T, all []seen, want ...string) {
	t.Helper()
	if got := tell(all); got != strings.Join(want, "\n")+"\n" {
		t.Errorf("walked:\n%s", got)
	}
}

func TestWalkTellsWhatIsLeftOut(t *testing.T) {
	root := t.TempDir()
	files(t, root, "a/keep", "a/skip.o", "a.txt", "b/deep/x.o", "big", "node_modules/x/y")
	if err := os.Truncate(root+"/big", 5000); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root) // socket addresses are short
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all := walk(t, root, WalkOptions{MaxSize: 4999, Rules: rules(t, "+ b/deep/*.o", "- *.o", "- node_modules/")})
	expect(t, all, "folder", "folder/a", "folder/a/keep", "folder/a/skip.o (rule)", "folder/a.txt", "folder/b",
		"folder/b/deep", "folder/b/deep/x.o", "folder/big (size)", "folder/node_modules (rule)", "folder/socket (socket)")
	if e := all[8].Entry; e.Size != 5000 {
		t.Errorf("an excluded file is described as %+v", e)
	}
}

func TestCacheFoldersKeepOnlyTheirTag(t *testing.T) {
	root := t.TempDir()
	files(t, root, "cache/big", "cache/sub/x", "lookalike/x", "link/x", "short/x")
	tag := []byte("Signature: 8a477f597d28d172789f06886806bc55\n# anything")
	for path, data := range map[string][]byte{"cache": tag, "lookalike": []byte("Signature: 8a477f597d28d172789f06886806bc56"), "short": tag[:20]} {
		if err := os.WriteFile(filepath.Join(root, path, "CACHEDIR.TAG"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../cache/CACHEDIR.TAG", root+"/link/CACHEDIR.TAG"); err != nil {
		t.Fatal(err)
	}
	expect(t, walk(t, root, WalkOptions{SkipCacheDirs: true}), "folder",
		"folder/cache (kept without content: cache folder)", "folder/cache/CACHEDIR.TAG",
		"folder/link", "folder/link/CACHEDIR.TAG", "folder/link/x",
		"folder/lookalike", "folder/lookalike/CACHEDIR.TAG", "folder/lookalike/x",
		"folder/short", "folder/short/CACHEDIR.TAG", "folder/short/x")
	if all := walk(t, root, WalkOptions{}); strings.Contains(tell(all), "kept") || len(all) != 15 {
		t.Errorf("without the option:\n%s", tell(all))
	}
}

func TestOneFileSystem(t *testing.T) {
	if !withMounts(t) {
		return
	}
	root := t.TempDir()
	files(t, root, "a", "z")
	mountTmpfs(t, root+"/mounted", "size=1m,mode=711")
	files(t, root, "mounted/inside")
	// A single file can be a mount point too.
	if err := unix.Mount(root+"/mounted/inside", root+"/z", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(root+"/z", unix.MNT_DETACH)
	all := walk(t, root, WalkOptions{OneFileSystem: true})
	expect(t, all, "folder", "folder/a", "folder/mounted (kept without content: other file system)", "folder/z (other file system)")
	if m := all[2].Entry.Mode; m != 0o711 {
		t.Errorf("mode of the mount point is %04o", m)
	}
	expect(t, walk(t, root, WalkOptions{}), "folder", "folder/a", "folder/mounted", "folder/mounted/inside", "folder/z")
}

func TestRootMayBeAFileOrALink(t *testing.T) {
	dir := t.TempDir()
	files(t, dir, "real/x", "note.txt")
	for link, target := range map[string]string{"to dir": "real", "to file": "note.txt", "nowhere": "gone"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, walk(t, dir+"/to dir", WalkOptions{}), "folder", "folder/x")
	for _, name := range []string{"note.txt", "to file"} {
		all := walk(t, filepath.Join(dir, name), WalkOptions{OneFileSystem: true, Rules: rules(t, "- *")})
		expect(t, all, "folder")
		if all[0].Entry.Type != snapshot.TypeFile || all[0].Entry.Size != 19 || all[0].sum == "" {
			t.Errorf("%s: %+v", name, all[0].Entry)
		}
	}
	t.Chdir(dir)
	expect(t, walk(t, "note.txt", WalkOptions{}), "folder")

	nothing := func(*Item) error { t.Error("visited"); return nil }
	for _, root := range []string{dir + "/nowhere", dir + "/missing"} {
		err := Walk(context.Background(), "folder", root, WalkOptions{}, nothing)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), root) {
			t.Errorf("%s: %v", root, err)
		}
	}
	for _, name := range []string{"", "..", "a/b", "a\x00"} {
		if err := Walk(context.Background(), name, dir, WalkOptions{}, nothing); !errors.Is(err, snapshot.ErrFormat) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if err := Walk(context.Background(), "folder", "/dev/null", WalkOptions{}, nothing); err == nil {
		t.Error("a device was taken for a folder")
	}
}

func TestWalkStops(t *testing.T) {
	root := t.TempDir()
	files(t, root, "a/b", "c")
	ctx, cancel := context.WithCancel(context.Background())
	visits := 0
	err := Walk(ctx, "folder", root, WalkOptions{}, func(it *Item) error {
		it.Release()
		visits++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || visits != 1 {
		t.Errorf("cancelled: %v after %d visits", err, visits)
	}
	enough := errors.New("enough")
	err = Walk(context.Background(), "folder", root, WalkOptions{}, func(it *Item) error {
		it.Release()
		return enough
	})
	if err != enough {
		t.Errorf("the visitor's error became %v", err)
	}
}

func TestItemsOpenAfterTheWalk(t *testing.T) {
	root := t.TempDir()
	files(t, root, "a/b/c", "swapped", "link", "gone", "pipe")
	before := openFiles(t)
	items := make(map[string]*Item)
	err := Walk(context.Background(), "folder", root, WalkOptions{}, func(it *Item) error {
		items[string(it.Entry.Path)] = it
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Moving a directory does not matter, replacing a file does.
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Rename(root+"/a", root+"/moved"))
	must(os.WriteFile(root+"/other", nil, 0o600))
	must(os.Rename(root+"/other", root+"/swapped"))
	must(os.Remove(root + "/link"))
	must(os.Symlink("/etc/passwd", root+"/link"))
	must(os.Remove(root + "/gone"))
	must(os.Remove(root + "/pipe"))
	must(syscall.Mkfifo(root+"/pipe", 0o600))

	f, err := items["folder/a/b/c"].Open()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); string(b) != "content of a/b/c" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if e, err := FreshEntry(f, []byte("folder/a/b/c")); err != nil || e.Inode != items["folder/a/b/c"].Entry.Inode || e.Size != 16 {
		t.Errorf("looked again: %+v, %v", e, err)
	}
	f.Close()
	for path, want := range map[string]error{"folder/swapped": ErrChanged, "folder/link": ErrChanged, "folder/pipe": ErrChanged, "folder/gone": fs.ErrNotExist, "folder": fs.ErrInvalid} {
		if _, err := items[path].Open(); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, it := range items {
		it.Release()
		it.Release()
	}
	if _, err := items["folder/a/b/c"].Open(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Release: %v", err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc")
	}
	return len(all)
}

func TestWalkGoesOnWhenThingsVanish(t *testing.T) {
	root := t.TempDir()
	files(t, root, "a/x", "b/x", "c", "d/e/f", "z")
	var all []seen
	err := Walk(context.Background(), "folder", root, WalkOptions{}, func(it *Item) error {
		if len(all) == 0 {
			os.RemoveAll(root + "/b")
			os.Remove(root + "/c")
		}
		all = append(all, seen{Item: it})
		it.Release()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, all, "folder", "folder/a", "folder/a/x", "folder/b (unreadable)", "folder/c (unreadable)", "folder/d", "folder/d/e", "folder/d/e/f", "folder/z")
	if !errors.Is(all[3].Err, fs.ErrNotExist) {
		t.Error(all[3].Err)
	}
}

func TestUnreadableThingsDoNotStopTheWalk(t *testing.T) {
	if !asNobody(t) {
		return
	}
	root := t.TempDir()
	files(t, root, "closed/x", "listed/x", "file", "z")
	for path, mode := range map[string]os.FileMode{"closed": 0, "listed": 0o400, "file": 0} {
		full := filepath.Join(root, path)
		if err := os.Chmod(full, mode); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(full, 0o700)
	}
	var all []seen
	err := Walk(context.Background(), "folder", root, WalkOptions{}, func(it *Item) error {
		if it.Entry.Type == snapshot.TypeFile && it.Err == nil {
			f, err := it.Open()
			if err == nil {
				f.Close()
			}
			it.Err = err
		}
		it.Release()
		all = append(all, seen{Item: it})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, all, "folder", "folder/closed (unreadable)", "folder/file (unreadable)", "folder/listed", "folder/listed/x (unreadable)", "folder/z")
	for _, i := range []int{1, 2, 4} {
		if !errors.Is(all[i].Err, fs.ErrPermission) {
			t.Errorf("%s: %v", all[i].Entry.Path, all[i].Err)
		}
	}
	if e := all[1].Entry; e.Type != snapshot.TypeDir || e.UID != 65534 {
		t.Errorf("the closed folder is %+v", e)
	}
}

func TestDeepTreeNeedsFewDescriptors(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	// Every level has something after the directory, so that each has to be
	// found again on the way back.
	const levels = 2*maxOpenLevels + 50
	for depth := range levels {
		dir := strings.Repeat("d/", depth)
		if _, err := tr.Mkdir([]byte(dir+"d"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := stage(t, tr, dir+"later", nil).Commit(false); err != nil {
			t.Fatal(err)
		}
	}
	most, entries := 0, 0
	err := Walk(context.Background(), "folder", root, WalkOptions{}, func(it *Item) error {
		if it.Err != nil {
			t.Error(it.Err)
		}
		it.Release()
		if entries++; entries%50 == 0 {
			most = max(most, openFiles(t))
		}
		return nil
	})
	if err != nil || entries != 2*levels+1 {
		t.Errorf("%d entries, %v", entries, err)
	}
	if most > maxOpenLevels+maxCachedDirs+maxCachedFiles+20 {
		t.Errorf("%d descriptors open", most)
	}
}

func BenchmarkWalk(b *testing.B) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Skipf("needs the sources of Go: %v", err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "src")
	entries := 0
	for b.Loop() {
		err := Walk(context.Background(), "src", root, WalkOptions{}, func(it *Item) error {
			entries++
			it.Release()
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(entries)/float64(b.N), "entries/op")
}
