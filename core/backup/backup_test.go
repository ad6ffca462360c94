package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hiddenbackup/core/backup"
	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/progress"
	"hiddenbackup/core/snapshot"
	"hiddenbackup/core/vault"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/tahoeclient/tahoetest"
)

func newVault(t testing.TB) (*vault.Vault, *tahoetest.Gateway) {
	t.Helper()
	g := tahoetest.NewGateway(t)
	g.SetServers(6, 6)
	g.SetEncoding(3, 5, 6)
	keys, err := snapshot.NewKeys([32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	client := tahoeclient.New(g.Socket(), tahoeclient.Options{Attempts: 2, RetryWait: time.Millisecond})
	t.Cleanup(client.Close)
	dir, err := vault.Create(t.Context(), client, keys, vault.Options{Needed: 3, Happy: 5, Total: 6}, vault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return vault.New(client, keys, vault.Options{Directory: dir, Needed: 3, Happy: 5, Total: 6}), g
}

func folder(root string) backup.Options {
	return backup.Options{Folders: []backup.Folder{{Folder: snapshot.Folder{Name: "papers", Path: root}, Root: root}}}
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// listing returns the entries of the newest snapshot by path.
func listing(t testing.TB, v *vault.Vault) map[string]*snapshot.Entry {
	t.Helper()
	d, err := v.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := v.Load(t.Context(), d.Snapshots[d.Newest()], d.Newest())
	if err != nil {
		t.Fatal(err)
	}
	l, err := v.Listing(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	entries := make(map[string]*snapshot.Entry)
	for {
		e, err := l.Next()
		if err != nil {
			return entries
		}
		entries[string(e.Path)] = e
	}
}

func TestFileThatKeepsChangingIsFlaggedAndTheRunGoesOn(t *testing.T) {
	v, _ := newVault(t)
	root := t.TempDir()
	growing := filepath.Join(root, "mail.db")
	write(t, growing, make([]byte, 30<<20))
	write(t, filepath.Join(root, "quiet"), []byte("quiet"))
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := byte(0); !stop.Load(); i++ {
			f, err := os.OpenFile(growing, os.O_WRONLY, 0)
			if err == nil {
				f.WriteAt([]byte{i}, int64(i)<<16)
				f.Close()
			}
		}
	}()
	r, err := backup.Run(t.Context(), v, folder(root), nil)
	stop.Store(true)
	<-done
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) != 1 || !errors.Is(r.Problems[0], backup.ErrChanging) {
		t.Fatalf("problems: %v", r.Problems)
	}
	entries := listing(t, v)
	if !entries["papers/mail.db"].Changed || entries["papers/quiet"] == nil {
		t.Errorf("flagged %v, %d entries", entries["papers/mail.db"].Changed, len(entries))
	}
	// The next run reads it again although its times may look the same.
	r, err = backup.Run(t.Context(), v, folder(root), nil)
	if err != nil || r.ProblemCount != 0 || r.Read < 30<<20 || listing(t, v)["papers/mail.db"].Changed {
		t.Errorf("second run: %d bytes read, %v, %v", r.Read, r.Problems, err)
	}
}

func TestFileWrittenInTheSameTickIsReadAgain(t *testing.T) {
	v, _ := newVault(t)
	root := t.TempDir()
	path := filepath.Join(root, "note")
	write(t, path, []byte("first"))
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Run(t.Context(), v, folder(root), nil); err != nil {
		t.Fatal(err)
	}
	// Same size, same modification time, within the same second.
	write(t, path, []byte("later"))
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Run(t.Context(), v, folder(root), nil); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, v)["papers/note"].Chunks[0].ID; got != snapshot.IDOf([]byte("later")) {
		t.Error("the change was missed")
	}
}

func TestRulesDecideWhatIsLeftOut(t *testing.T) {
	v, _ := newVault(t)
	root := t.TempDir()
	for _, name := range []string{"keep.txt", "film.iso", "important.iso", "cache/CACHEDIR.TAG", "cache/x", "big"} {
		write(t, filepath.Join(root, name), []byte(name))
	}
	write(t, filepath.Join(root, "cache/CACHEDIR.TAG"), []byte("Signature: 8a477f597d28d172789f06886806bc55\n"))
	write(t, filepath.Join(root, "big"), make([]byte, 5000))
	o := folder(root)
	o.SkipCacheDirs, o.MaxSize = true, 4000
	for _, rule := range []string{"+ important.iso", "- *.iso"} {
		r, err := localfs.ParseRule(rule)
		if err != nil {
			t.Fatal(err)
		}
		o.Rules = append(o.Rules, r)
	}
	r, err := backup.Run(t.Context(), v, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries := listing(t, v)
	for name, want := range map[string]bool{"keep.txt": true, "important.iso": true, "film.iso": false, "cache/CACHEDIR.TAG": true, "cache/x": false, "big": false} {
		if got := entries["papers/"+name] != nil; got != want {
			t.Errorf("%s is in the snapshot: %v, want %v", name, got, want)
		}
	}
	if r.LeftOut[localfs.ExcludedByRule] != 1 || r.LeftOut[localfs.ExcludedSize] != 1 || r.LeftOut[localfs.ExcludedCache] == 0 {
		t.Errorf("left out: %v", r.LeftOut)
	}
}

func TestGatewayThatDiesEndsTheRunWithoutASnapshot(t *testing.T) {
	v, g := newVault(t)
	root := t.TempDir()
	for i := range 6 {
		b := make([]byte, 8<<20)
		for j := range b {
			b[j] = byte(j * (i + 3) >> 3)
		}
		write(t, filepath.Join(root, fmt.Sprint(i)), b)
	}
	o := folder(root)
	o.Stored = true
	tracker := new(progress.Tracker)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		for ctx.Err() == nil && tracker.Status().Moved < 8<<20 {
			runtime.Gosched()
		}
		g.Stop()
	}()
	_, err := backup.Run(ctx, v, o, tracker)
	if !errors.Is(err, tahoeclient.ErrNotAnswering) {
		t.Fatalf("got %v", err)
	}
	g.Start()
	d, err := v.Read(t.Context())
	if err != nil || len(d.Snapshots) != 0 {
		t.Fatalf("%d snapshots, %v", len(d.Snapshots), err)
	}
	if _, err := backup.Run(t.Context(), v, o, nil); err != nil {
		t.Errorf("the next run: %v", err)
	}
}

func TestRefusedUploadEndsTheRunAndLosesNothing(t *testing.T) {
	v, g := newVault(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "note"), []byte("text"))
	if _, err := backup.Run(t.Context(), v, folder(root), nil); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "film"), make([]byte, 1<<20))
	g.Fail(50, 500, "Traceback\nallmydata.interfaces.UploadUnhappinessError: shares could be placed on only 4 server(s)\n", tahoetest.OpPut)
	if _, err := backup.Run(t.Context(), v, folder(root), nil); !errors.Is(err, tahoeclient.ErrUnhappy) {
		t.Fatalf("got %v", err)
	}
	g.Behave()
	if len(listing(t, v)) != 2 {
		t.Error("the first snapshot changed")
	}
}

// An unreadable file is named and the rest is stored. Root reads everything,
// so the test runs itself as nobody.
func TestUnreadableFilesAndFoldersAreNamed(t *testing.T) {
	if os.Getenv("AS_NOBODY") == "" && os.Geteuid() == 0 {
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestUnreadableFilesAndFoldersAreNamed$", "-test.v")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		dir, err := os.MkdirTemp("", "nobody")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		cmd.Env, cmd.Dir = []string{"AS_NOBODY=1", "TMPDIR=" + dir, "HOME=" + dir}, dir
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("as nobody: %v\n%s", err, out)
		}
		return
	}
	v, _ := newVault(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "open"), []byte("open"))
	write(t, filepath.Join(root, "closed"), []byte("closed"))
	write(t, filepath.Join(root, "folder", "inside"), []byte("inside"))
	if err := errors.Join(os.Chmod(filepath.Join(root, "closed"), 0), os.Chmod(filepath.Join(root, "folder"), 0)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(root, "folder"), 0o700)
	r, err := backup.Run(t.Context(), v, folder(root), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) != 2 || r.Problems[0].Path != "papers/closed" || r.Problems[1].Path != "papers/folder" || !errors.Is(r.Problems[0], fs.ErrPermission) {
		t.Errorf("problems: %v", r.Problems)
	}
	entries := listing(t, v)
	if entries["papers/open"] == nil || entries["papers/closed"] != nil || entries["papers/folder"] == nil {
		t.Errorf("the snapshot has %d entries", len(entries))
	}
}

func TestDryRunChangesNothingAndCountsRight(t *testing.T) {
	v, g := newVault(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "old"), make([]byte, 1000))
	if err := os.Chtimes(filepath.Join(root, "old"), time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Run(t.Context(), v, folder(root), nil); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "new"), make([]byte, 500))
	before := g.StoredBytes()
	e, err := backup.DryRun(t.Context(), v, folder(root))
	if err != nil || e.Files != 2 || e.New != 1 || e.Bytes != 1500 || e.ToRead < 500 {
		t.Errorf("%+v, %v", e, err)
	}
	if g.StoredBytes() != before {
		t.Error("a dry run stored something")
	}
}

func TestNothingToDoIsSaid(t *testing.T) {
	v, _ := newVault(t)
	if _, err := backup.Run(t.Context(), v, backup.Options{}, nil); !errors.Is(err, backup.ErrNoFolders) {
		t.Errorf("got %v", err)
	}
	if _, err := backup.Run(t.Context(), v, folder("/does/not/exist"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkEngine backs up the Go source tree to a gateway that costs nothing:
// what is left is our own work.
func BenchmarkEngine(b *testing.B) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(goroot)), "src")
	for range b.N {
		b.StopTimer()
		v, _ := newVault(b)
		b.StartTimer()
		r, err := backup.Run(b.Context(), v, folder(root), nil)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(r.Info.Totals.Bytes))
		b.ReportMetric(float64(r.Sent), "sent/op")
	}
}

func TestLogThatGrowsFasterThanItIsReadDoesNotHoldTheRunUp(t *testing.T) {
	v, _ := newVault(t)
	root := t.TempDir()
	path := filepath.Join(root, "log")
	write(t, path, make([]byte, 4<<20))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		line := make([]byte, 1<<20)
		for n := 0; ctx.Err() == nil && n < 2000; n++ {
			f.Write(line)
		}
	}()
	r, err := backup.Run(ctx, v, folder(root), nil)
	cancel()
	<-done
	// Whether the second look finds it changed again is between two writers and
	// the disk; that the run ends with the file in it is not.
	if err != nil || r.Info.Totals.Files != 1 || len(r.Problems) > 1 || len(r.Problems) == 1 && !errors.Is(r.Problems[0], backup.ErrChanging) {
		t.Errorf("%v, %d files, problems %v", err, r.Info.Totals.Files, r.Problems)
	}
}
