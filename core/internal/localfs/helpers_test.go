package localfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/snapshot"
)

// seen is what a test keeps of an item.
type seen struct {
	*Item
	sum string // of the content
}

// walk collects everything Walk visits, content read.
func walk(t *testing.T, root string, o WalkOptions) []seen {
	t.Helper()
	var all []seen
	err := Walk(context.Background(), "folder", root, o, func(it *Item) error {
		defer it.Release()
		s := seen{Item: it}
		if it.Entry.Type == snapshot.TypeFile && it.Excluded == "" && it.Err == nil && it.Entry.Size < 1<<20 {
			s.sum = content(t, it)
		}
		if n := len(all); n > 0 && snapshot.ComparePaths(all[n-1].Entry.Path, it.Entry.Path) >= 0 {
			t.Errorf("%q comes after %q", it.Entry.Path, all[n-1].Entry.Path)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func content(t *testing.T, it *Item) string {
	t.Helper()
	f, err := it.Open()
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Error(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// tell is one line per item for tests about what is left out.
func tell(all []seen) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "%s", s.Entry.Path)
		switch {
		case s.Err != nil:
			b.WriteString(" (unreadable)")
		case s.Excluded != "":
			fmt.Fprintf(&b, " (%s)", s.Excluded)
		case s.Pruned != "":
			fmt.Fprintf(&b, " (kept without content: %s)", s.Pruned)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// files makes files named by paths; one that ends in a slash is a directory.
func files(t *testing.T, root string, paths ...string) {
	t.Helper()
	for _, p := range paths {
		full := filepath.Join(root, p)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if strings.HasSuffix(p, "/") {
			err = os.MkdirAll(full, 0o755)
		} else {
			err = os.WriteFile(full, []byte("content of "+p), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func tree(t *testing.T, root string) *Tree {
	t.Helper()
	tr, err := OpenTree(root, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// stage writes a file through the tree up to the point before its Commit.
func stage(t *testing.T, tr *Tree, path string, data []byte) *Staged {
	t.Helper()
	s, err := tr.Stage([]byte(path))
	if err == nil {
		_, err = s.WriteAt(data, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// rerun runs the calling test once more in a child process with other powers.
// In the child it returns true; the parent is done when it returns false.
func rerun(t *testing.T, attr *syscall.SysProcAttr) (child bool) {
	t.Helper()
	if os.Getenv("LOCALFS_CHILD") == t.Name() {
		return true
	}
	needRoot(t)
	// The test binary is in a directory that only root may enter.
	dir, err := os.MkdirTemp("", "localfs")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(exe)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "test"), code, 0o755)
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "tmp"), 0o700)
	}
	for _, d := range []string{dir, filepath.Join(dir, "tmp")} {
		if err == nil {
			err = os.Chmod(d, 0o777)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "test"), "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LOCALFS_CHILD="+t.Name(), "TMPDIR="+filepath.Join(dir, "tmp"), "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if os.IsPermission(err) {
		t.Skipf("no child with other powers here: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("--- SKIP")) {
		t.Skipf("%s", out)
	}
	if !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("the child did not run this test:\n%s", out)
	}
	return false
}

func asNobody(t *testing.T) bool {
	return rerun(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
}

// withMounts is a child that may mount; all of it is gone with the child.
func withMounts(t *testing.T) bool {
	return rerun(t, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS})
}

func mountTmpfs(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting is not possible here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}
