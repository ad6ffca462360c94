package localfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

var everything = MetaOptions{Owner: OwnerIDs, KeepSetID: true, Xattrs: true}

// testACL lets user 1000 do more than the owning group, so that the mode shows
// the mask (rw-) where the group has r--.
func testACL() []byte {
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range [][3]uint32{{1, 6, ^uint32(0)}, {2, 6, 1000}, {aclGroupObj, 4, ^uint32(0)}, {aclMask, 6, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(e[1]))
		b = binary.LittleEndian.AppendUint32(b, e[2])
	}
	return b
}

// testCapability is cap_net_bind_service, permitted and effective.
func testCapability() []byte {
	return []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
}

// makeNasty builds what is hard to keep, by means of Tree where paths are too
// long for anything else.
func makeNasty(t *testing.T, root string) {
	t.Helper()
	tr := tree(t, root)
	at := func(sec int64, nsec uint32) snapshot.Timespec { return snapshot.Timespec{Sec: sec, Nsec: nsec} }
	file := func(path string, mode uint32, mtime snapshot.Timespec, attrs ...snapshot.Xattr) {
		t.Helper()
		if dir, _ := splitPath(path); dir != "" {
			if _, err := tr.MkdirAll([]byte(dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		s := stage(t, tr, path, []byte(path))
		e := &snapshot.Entry{Type: snapshot.TypeFile, Mode: mode, ModTime: mtime, Xattrs: attrs}
		if err := s.Finish(e, everything); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(false); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := at(1700000000, 987654321)
	for _, name := range []string{
		"plain", "new\nline", "tab\tbell\aescape\x1b[31m", "not \xff\xfe utf-8", "\x80", " ", "...", "-rf", "*", "back\\slash", "ünïcödé", "u\u0308",
		"a", "a.b", "a-b", strings.Repeat("x", 255), strings.Repeat("\xe9", 255),
		"dir/a", "dir.d/a", "dir-d/a", "dir/0",
	} {
		file(name, 0o644, now)
	}
	file("before 1970", 0o644, at(-1000000000, 1))
	file("just before 1970", 0o644, at(-1, 999999999))
	file("in 2400", 0o644, at(13569465600, 500000001))
	file("private", 0o600, now)
	file("nobody may", 0o000, now)
	file("sticky", 0o1644, now)
	file("user attributes", 0o644, now, snapshot.Xattr{Name: "user.empty", Value: []byte{}}, snapshot.Xattr{Name: "user.note", Value: []byte("a\x00b")})
	file("acl", 0o660, now, snapshot.Xattr{Name: xattrACL, Value: testACL()})
	deep := strings.Repeat(strings.Repeat("n", 250)+"/", 20)
	file(deep+"file", 0o640, now)
	must(tr.PutSymlink([]byte(deep+"link"), &snapshot.Entry{Type: snapshot.TypeSymlink, Target: []byte("file"), ModTime: now}, false, everything))
	file(strings.Repeat("d/", maxOpenLevels+20)+"file", 0o600, now)
	for path, target := range map[string]string{
		"dangling": "nowhere", "absolute": "/etc/passwd", "loop": "loop", "up": "../../..", "odd": "\xff\n", "long": strings.Repeat("t", 4000),
	} {
		must(tr.PutSymlink([]byte(path), &snapshot.Entry{Type: snapshot.TypeSymlink, Target: []byte(target), ModTime: at(-5, 5)}, false, everything))
	}
	must(tr.PutHardlink([]byte("another plain"), []byte("plain"), false))
	must(tr.PutHardlink([]byte("dir/yet another"), []byte("plain"), false))
	must(tr.PutSpecial([]byte("pipe"), &snapshot.Entry{Type: snapshot.TypeFIFO, Mode: 0o622, ModTime: now}, false, everything))
	if os.Geteuid() == 0 {
		file("setuid", 0o6755, now)
		file("capable", 0o755, now, snapshot.Xattr{Name: xattrCapability, Value: testCapability()})
		must(tr.PutSpecial([]byte("null"), &snapshot.Entry{Type: snapshot.TypeCharDevice, Mode: 0o666, Device: unix.Mkdev(1, 3), ModTime: now}, false, everything))
		must(tr.PutSpecial([]byte("disk"), &snapshot.Entry{Type: snapshot.TypeBlockDevice, Mode: 0o660, UID: 1, GID: 6, Device: unix.Mkdev(259, 70000), ModTime: now}, false, everything))
	}
	for path, mode := range map[string]uint32{"empty": 0o755, "dir": 0o500, "shared": 0o3777, "dir.d": 0o700} {
		_, err := tr.Mkdir([]byte(path), 0o700)
		must(err)
		e := &snapshot.Entry{Type: snapshot.TypeDir, Mode: mode, ModTime: at(1234567890, 123456789)}
		if path == "shared" {
			e.Xattrs = []snapshot.Xattr{{Name: xattrACLDefault, Value: testACL()}}
		}
		must(tr.SetMeta([]byte(path), e, everything))
	}
}

// copyTree writes what Walk finds in one place to another, as a restore does.
func copyTree(t *testing.T, from, to string, opt MetaOptions) {
	t.Helper()
	tr := tree(t, to)
	type inode struct{ dev, ino uint64 }
	first := make(map[inode][]byte)
	var staged []*Staged
	var dirs []*snapshot.Entry
	type link struct{ path, target []byte }
	var links []link
	below := func(e *snapshot.Entry) []byte {
		return bytes.TrimPrefix(bytes.TrimPrefix(e.Path, []byte("folder")), []byte("/"))
	}
	put := func(it *Item) error {
		defer it.Release()
		e, path := it.Entry, below(it.Entry)
		if it.Err != nil || it.XattrErr != nil {
			return errors.Join(it.Err, it.XattrErr)
		}
		id := inode{it.Dev, e.Inode}
		if target := first[id]; e.Links > 1 && target != nil {
			links = append(links, link{path, target})
			return nil
		}
		first[id] = path
		switch e.Type {
		case snapshot.TypeDir:
			dirs = append(dirs, e)
			_, err := tr.Mkdir(path, 0o700)
			return err
		case snapshot.TypeSymlink:
			return tr.PutSymlink(path, e, false, opt)
		case snapshot.TypeFile:
			s, err := copyFile(tr, it, path)
			if err != nil {
				return err
			}
			staged = append(staged, s)
			return s.Finish(e, opt)
		}
		return tr.PutSpecial(path, e, false, opt)
	}
	if err := Walk(context.Background(), "folder", from, WalkOptions{}, put); err != nil {
		t.Fatal(err)
	}
	if err := tr.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, s := range staged {
		if err := s.Commit(false); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range links {
		if err := tr.PutHardlink(l.path, l.target, false); err != nil {
			t.Fatal(err)
		}
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := tr.SetMeta(below(dirs[i]), dirs[i], opt); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(tr *Tree, it *Item, path []byte) (*Staged, error) {
	f, err := it.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := tr.Stage(path)
	if err != nil {
		return nil, err
	}
	if err := s.Truncate(it.Entry.Size); err != nil {
		return nil, err
	}
	for x, err := range Extents(f, it.Entry.Size) {
		if err != nil {
			return nil, err
		}
		w := io.NewOffsetWriter(s, x.Offset)
		if _, err := io.Copy(w, io.NewSectionReader(f, x.Offset, x.Length)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// sameTrees compares all that a restore must bring back.
func sameTrees(t *testing.T, a, b []seen) {
	t.Helper()
	plain := func(all []seen) map[string]string {
		m := make(map[string]string)
		names := make(map[uint64]string)
		for _, s := range all {
			e := *s.Entry
			group := ""
			if e.Links > 1 {
				if names[e.Inode] == "" {
					names[e.Inode] = string(e.Path)
				}
				group = names[e.Inode]
			}
			e.Inode, e.ChangeTime = 0, snapshot.Timespec{}
			m[string(e.Path)] = fmt.Sprintf("%+v same as %q content %s error %v", e, group, s.sum, s.Err)
		}
		return m
	}
	x, y := plain(a), plain(b)
	for path, was := range x {
		if is, ok := y[path]; !ok {
			t.Errorf("%.80q is missing", path)
		} else if is != was {
			t.Errorf("%.80q differs:\nwas %.500s\nis  %.500s", path, was, is)
		}
	}
	if len(y) != len(x) {
		t.Errorf("%d entries became %d", len(x), len(y))
	}
}

func TestNastyTreeComesBackAsItWas(t *testing.T) {
	src, dst := t.TempDir(), t.TempDir()
	makeNasty(t, src)
	copyTree(t, src, dst, everything)
	before, after := walk(t, src, WalkOptions{}), walk(t, dst, WalkOptions{})
	longest := 0
	for _, s := range before {
		longest = max(longest, len(s.Entry.Path))
	}
	if len(before) < 190 || longest < 5000 {
		t.Errorf("the tree was not nasty: %d entries, longest path %d", len(before), longest)
	}
	sameTrees(t, before, after)
}

// TestNastyMetadata makes sure that the tree above really has what it is said
// to have: both walks would agree on a mistake.
func TestNastyMetadata(t *testing.T) {
	src := t.TempDir()
	makeNasty(t, src)
	tr := tree(t, src)
	want := map[string]func(e *snapshot.Entry) bool{
		"before 1970": func(e *snapshot.Entry) bool { return e.ModTime.Sec == -1000000000 && e.ModTime.Nsec == 1 },
		"in 2400":     func(e *snapshot.Entry) bool { return e.ModTime.Sec == 13569465600 && e.ModTime.Nsec == 500000001 },
		"dangling":    func(e *snapshot.Entry) bool { return e.ModTime.Sec == -5 && string(e.Target) == "nowhere" },
		"nobody may":  func(e *snapshot.Entry) bool { return e.Mode == 0 && e.Size == 10 },
		"acl": func(e *snapshot.Entry) bool {
			return e.Mode == 0o660 && reflect.DeepEqual(e.Xattrs[0].Value, testACL())
		},
		"plain":  func(e *snapshot.Entry) bool { return e.Links == 3 && e.ModTime.Nsec == 987654321 },
		"dir":    func(e *snapshot.Entry) bool { return e.Mode == 0o500 && e.Links == 0 && e.ModTime.Nsec == 123456789 },
		"shared": func(e *snapshot.Entry) bool { return e.Mode == 0o3777 && len(e.Xattrs) == 1 },
		"sticky": func(e *snapshot.Entry) bool { return e.Mode == 0o1644 },
		"pipe":   func(e *snapshot.Entry) bool { return e.Type == snapshot.TypeFIFO && e.Mode == 0o622 },
		"\x80":   func(e *snapshot.Entry) bool { return e.Type == snapshot.TypeFile },
		"dir/0":  func(e *snapshot.Entry) bool { return e.Size == 5 },
		"user attributes": func(e *snapshot.Entry) bool {
			return len(e.Xattrs) == 2 && e.Xattrs[0].Name == "user.empty" && string(e.Xattrs[1].Value) == "a\x00b"
		},
	}
	if os.Geteuid() == 0 {
		want["setuid"] = func(e *snapshot.Entry) bool { return e.Mode == 0o6755 && e.User == "root" }
		want["capable"] = func(e *snapshot.Entry) bool { return len(e.Xattrs) == 1 && e.Xattrs[0].Name == xattrCapability }
		want["null"] = func(e *snapshot.Entry) bool { return e.Type == snapshot.TypeCharDevice && e.Device == unix.Mkdev(1, 3) }
		want["disk"] = func(e *snapshot.Entry) bool { return e.UID == 1 && e.GID == 6 && e.Device == unix.Mkdev(259, 70000) }
	}
	for path, right := range want {
		e, err := tr.Lstat([]byte(path), true)
		if err != nil || !right(e) {
			t.Errorf("%q: %+v, %v", path, e, err)
		}
	}
}

func TestSparseFileStaysSparse(t *testing.T) {
	src, dst := t.TempDir(), t.TempDir()
	f, err := os.Create(src + "/sparse")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 30); err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{0, 500 << 20, 1<<30 - 4096} {
		if _, err := f.WriteAt(bytes.Repeat([]byte{7}, 4096), off); err != nil {
			t.Fatal(err)
		}
	}
	var data int64
	for x, err := range Extents(f, 1<<30) {
		if err != nil {
			t.Fatal(err)
		}
		data += x.Length
	}
	if data == 1<<30 {
		t.Skip("this file system does not tell holes")
	}
	if data > 1<<20 {
		t.Errorf("%d bytes of data were found in 12 KiB", data)
	}
	copyTree(t, src, dst, everything)
	it := walk(t, dst, WalkOptions{})[1]
	if it.Entry.Size != 1<<30 || it.Blocks*512 > 1<<20 {
		t.Errorf("size %d with %d blocks", it.Entry.Size, it.Blocks)
	}
	got, err := os.Open(dst + "/sparse")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	for _, off := range []int64{0, 500 << 20, 1<<30 - 4096} {
		b := make([]byte, 4096)
		if _, err := got.ReadAt(b, off); err != nil || !bytes.Equal(b, bytes.Repeat([]byte{7}, 4096)) {
			t.Errorf("data at %d did not come back: %v", off, err)
		}
	}
}

func TestExtentsAtTheEdges(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	collect := func(size int64) (all []Extent) {
		for x, err := range Extents(f, size) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, x)
		}
		return all
	}
	if got := collect(0); got != nil {
		t.Errorf("an empty file has data: %v", got)
	}
	f.Write(make([]byte, 10000))
	if got := collect(5000); !reflect.DeepEqual(got, []Extent{{0, 5000}}) {
		t.Errorf("a file that grew: %v", got)
	}
	if got := collect(20000); len(got) != 1 || got[0].Offset != 0 {
		t.Errorf("a file that was cut short: %v", got)
	}
	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer w.Close()
	for _, err := range Extents(pipe, 10) {
		if err == nil {
			t.Error("a pipe has extents")
		}
	}
}
