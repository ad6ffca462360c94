package localfs

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// restored writes one file with the metadata of e and describes the result.
func restored(t *testing.T, tr *Tree, e *snapshot.Entry, opt MetaOptions) (*snapshot.Entry, error) {
	t.Helper()
	e.Type = snapshot.TypeFile
	s := stage(t, tr, "f", []byte("x"))
	warning := s.Finish(e, opt)
	var meta *MetaError
	if warning != nil && !errors.As(warning, &meta) {
		t.Fatal(warning)
	}
	if err := s.Commit(true); err != nil {
		t.Fatal(err)
	}
	got, err := tr.Lstat([]byte("f"), true)
	if err != nil {
		t.Fatal(err)
	}
	return got, warning
}

func TestPrivilegesAreRestoredOnlyWhenAsked(t *testing.T) {
	needRoot(t)
	tr := tree(t, t.TempDir())
	e := snapshot.Entry{Mode: 0o6755, UID: 1234, GID: 5678, User: "no-such-user", Group: "daemon",
		Xattrs: []snapshot.Xattr{{Name: xattrCapability, Value: testCapability()}}}
	daemon, named := loadAccounts().gids["daemon"]
	if !named {
		daemon = e.GID
	}
	for _, c := range []struct {
		opt      MetaOptions
		mode     uint32
		uid, gid uint32
		xattrs   int
		warning  bool
	}{
		{MetaOptions{}, 0o755, 0, 0, 0, false},
		{MetaOptions{Owner: OwnerIDs, Xattrs: true}, 0o755, 1234, 5678, 0, false},
		{MetaOptions{Owner: OwnerIDs, KeepSetID: true}, 0o6755, 1234, 5678, 0, false},
		{MetaOptions{Owner: OwnerIDs, KeepSetID: true, Xattrs: true}, 0o6755, 1234, 5678, 1, false},
		{MetaOptions{Owner: OwnerNames}, 0o755, 1234, daemon, 0, false},
		{MetaOptions{KeepSetID: true}, 0o755, 0, 0, 0, true}, // setuid root was never meant
	} {
		got, warning := restored(t, tr, &e, c.opt)
		if got.Mode != c.mode || got.UID != c.uid || got.GID != c.gid || len(got.Xattrs) != c.xattrs || (warning != nil) != c.warning {
			t.Errorf("%+v: %04o %d:%d, %d attributes, %v", c.opt, got.Mode, got.UID, got.GID, len(got.Xattrs), warning)
		}
	}
}

func TestGroupGetsNoMoreWithoutTheACL(t *testing.T) {
	tr := tree(t, t.TempDir())
	e := snapshot.Entry{Mode: 0o660, Xattrs: []snapshot.Xattr{{Name: xattrACL, Value: testACL()}}}
	if got, err := restored(t, tr, &e, MetaOptions{}); got.Mode != 0o640 || err != nil {
		t.Errorf("without attributes: %04o, %v", got.Mode, err)
	}
	e.Xattrs[0].Value = []byte("not an ACL")
	got, err := restored(t, tr, &e, MetaOptions{Xattrs: true})
	if got.Mode != 0o600 || err == nil || !strings.Contains(err.Error(), xattrACL) {
		t.Errorf("with one that cannot be restored: %04o, %v", got.Mode, err)
	}
}

func TestAttributesOfAnExistingFolderAreReplaced(t *testing.T) {
	root := t.TempDir()
	tr := tree(t, root)
	if err := unix.Setxattr(root, "user.old", []byte("x"), 0); err != nil {
		t.Skipf("no extended attributes here: %v", err)
	}
	if err := unix.Setxattr(root, xattrACLDefault, testACL(), 0); err != nil {
		t.Skipf("no ACLs here: %v", err)
	}
	e := &snapshot.Entry{Type: snapshot.TypeDir, Mode: 0o700, Xattrs: []snapshot.Xattr{{Name: "user.new", Value: []byte("y")}}}
	// A file inherits the ACL of its folder, unless it comes with its own rights.
	if got, err := restored(t, tr, &snapshot.Entry{Mode: 0o640}, everything); len(got.Xattrs) != 0 || got.Mode != 0o640 || err != nil {
		t.Errorf("the file in it: %+v, %v", got, err)
	}
	if err := tr.SetMeta(nil, e, everything); err != nil {
		t.Fatal(err)
	}
	got, err := tr.Lstat(nil, true)
	if err != nil || len(got.Xattrs) != 1 || got.Xattrs[0].Name != "user.new" || got.Mode != 0o700 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMetadataThatCannotBeAppliedIsAWarning(t *testing.T) {
	tr := tree(t, t.TempDir())
	e := snapshot.Entry{Mode: 0o600, ModTime: snapshot.Timespec{Sec: 1 << 60}, Xattrs: []snapshot.Xattr{
		{Name: "nonsense.name", Value: []byte("x")}, {Name: "user.fits", Value: []byte("y")}, {Name: "user.huge", Value: make([]byte, 60<<10)}, {Name: "user.too huge", Value: make([]byte, 1<<20)},
	}}
	got, err := restored(t, tr, &e, MetaOptions{Xattrs: true})
	var meta *MetaError
	if !errors.As(err, &meta) || len(meta.Problems) < 3 || string(meta.Path) != "f" {
		t.Fatalf("%v", err)
	}
	for _, what := range []string{"nonsense.name", "user.too huge", "time of modification"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("%q is not in %v", what, err)
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		t.Error("an attribute that does not fit looks like a full disk")
	}
	if x, ok := find(got.Xattrs, "user.fits"); !ok || string(x) != "y" {
		t.Errorf("the one that fits: %q", x)
	}
	dir := &snapshot.Entry{Type: snapshot.TypeDir}
	if err := tr.SetMeta([]byte("f"), dir, MetaOptions{}); !errors.Is(err, ErrInTheWay) || errors.As(err, &meta) {
		t.Errorf("metadata of a folder for a file: %v", err)
	}
}

func TestRestoreByAnyoneElse(t *testing.T) {
	if !asNobody(t) {
		return
	}
	root := t.TempDir()
	tr := tree(t, root)
	e := snapshot.Entry{Mode: 0o6444, ModTime: snapshot.Timespec{Sec: 5}, UID: 1, GID: 1, Xattrs: []snapshot.Xattr{
		{Name: xattrCapability, Value: testCapability()}, {Name: "trusted.x", Value: []byte("x")},
	}}
	got, err := restored(t, tr, &e, everything)
	if got.UID != 65534 || got.Mode != 0o444 || got.ModTime.Sec != 5 {
		t.Errorf("%+v", got)
	}
	for _, what := range []string{xattrCapability, "trusted.x", "mode 6444"} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("no warning about %q in %v", what, err)
		}
	}
	if got, err := restored(t, tr, &e, MetaOptions{Owner: OwnerIDs}); err != nil || got.Mode != 0o444 {
		t.Errorf("nothing more was asked for: %+v, %v", got, err)
	}
	// No right at all to the file itself is needed to finish it.
	if got, err := restored(t, tr, &snapshot.Entry{Mode: 0}, everything); err != nil || got.Mode != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	// A folder that a run before this one has closed already.
	files(t, root, "closed/old")
	if err := os.Chmod(root+"/closed", 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Mkdir([]byte("closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := stage(t, tr, "closed/new", nil).Commit(false); err != nil {
		t.Fatal(err)
	}
	dir := &snapshot.Entry{Type: snapshot.TypeDir, Mode: 0o500}
	if err := tr.SetMeta([]byte("closed"), dir, everything); err != nil {
		t.Error(err)
	}
	if _, err := tr.Stage([]byte("closed/x")); !errors.Is(err, os.ErrPermission) {
		t.Errorf("the closed folder is open: %v", err)
	}
	os.Chmod(root+"/closed", 0o700)
	device := &snapshot.Entry{Type: snapshot.TypeCharDevice, Device: unix.Mkdev(1, 3)}
	if err := tr.PutSpecial([]byte("null"), device, false, everything); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a device node: %v", err)
	}
}

// TestWithoutProc is a chroot or a container that has no /proc.
func TestWithoutProc(t *testing.T) {
	real := haveProc
	haveProc = func() bool { return false }
	defer func() { haveProc = real }()
	src, dst := t.TempDir(), t.TempDir()
	tr := tree(t, src)
	files(t, src, "dir/x")
	opt := MetaOptions{Xattrs: true}
	attrs := []snapshot.Xattr{{Name: "user.note", Value: []byte("x")}}
	if _, err := restored(t, tr, &snapshot.Entry{Mode: 0o640, ModTime: snapshot.Timespec{Sec: 7, Nsec: 1}, Xattrs: attrs}, opt); err != nil {
		t.Skipf("no extended attributes here: %v", err)
	}
	link := &snapshot.Entry{Type: snapshot.TypeSymlink, Target: []byte("f"), ModTime: snapshot.Timespec{Sec: 8}}
	dir := &snapshot.Entry{Type: snapshot.TypeDir, Mode: 0o500, ModTime: snapshot.Timespec{Sec: 9}, Xattrs: attrs}
	if err := errors.Join(tr.PutSymlink([]byte("link"), link, false, opt), tr.SetMeta([]byte("dir"), dir, opt)); err != nil {
		t.Fatal(err)
	}
	copyTree(t, src, dst, opt)
	before, after := walk(t, src, WalkOptions{}), walk(t, dst, WalkOptions{})
	sameTrees(t, before, after)
	if n := len(before[1].Entry.Xattrs); n != 1 {
		t.Errorf("%d attributes of %q", n, before[1].Entry.Path)
	}
}
