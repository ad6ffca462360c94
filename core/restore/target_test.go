package restore_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/restore"
)

func TestLinkPlantedAtTheTargetIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	w.write("note", []byte("text"))
	w.backup()
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "papers")); err != nil {
		t.Fatal(err)
	}
	r, err := w.restoreTo(dir, 1, func(o *restore.Options) { o.Overwrite = restore.OverwriteAlways })
	if err != nil || r.ProblemCount != 2 || !errors.Is(r.Problems[0], restore.ErrInTheWay) {
		t.Errorf("%v, problems %v", err, r.Problems)
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("written outside the target: %v", left)
	}
	r, err = w.restoreTo(dir, 1, func(o *restore.Options) { o.Follow = true })
	if err != nil || r.Files != 1 {
		t.Errorf("where the link is the person's own: %v, %v", err, r.Problems)
	}
}

func TestTwoRestoresToOnePlaceAreRefused(t *testing.T) {
	w := newWorld(t)
	w.write("note", []byte("text"))
	w.backup()
	dir := t.TempDir()
	mark := filepath.Join(dir, ".hidden-backup-unfinished")
	f, err := os.Create(mark)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := w.restoreTo(dir, 1); !errors.Is(err, restore.ErrTargetBusy) {
		t.Errorf("got %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.restoreTo(dir, 1); err != nil {
		t.Errorf("after a run that was killed: %v", err)
	}
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mark stays: %v", err)
	}
}

// A folder may be ours where the one around it is not. Root may write
// everywhere, so the test runs itself as nobody.
func TestFolderInAForeignOneIsRestored(t *testing.T) {
	if os.Geteuid() == 0 {
		dir, err := os.MkdirTemp("", "nobody")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		mine := filepath.Join(dir, "foreign", "papers")
		if err := errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(mine, 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o777),
			os.Chmod(filepath.Join(dir, "tmp"), 0o777), os.Chown(mine, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestFolderInAForeignOneIsRestored$", "-test.v")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Env, cmd.Dir = []string{"FOREIGN=" + filepath.Join(dir, "foreign"), "TMPDIR=" + filepath.Join(dir, "tmp"), "HOME=/"}, "/"
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("as nobody: %v\n%s", err, out)
		}
		return
	}
	foreign := os.Getenv("FOREIGN")
	if foreign == "" {
		t.Skip("needs a folder that belongs to somebody else: run as root")
	}
	w := newWorld(t)
	w.write("note", []byte("text"))
	w.backup()
	other, err := os.Open(filepath.Join(foreign, "papers"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := w.restoreTo(foreign, 1); !errors.Is(err, restore.ErrTargetBusy) {
		t.Errorf("beside another restore: %v", err)
	}
	other.Close()
	r, err := w.restoreTo(foreign, 1)
	if err != nil || r.ProblemCount != 0 || r.Files != 1 {
		t.Errorf("%v, problems %v", err, r.Problems)
	}
}
