// Package treetest makes file trees that hold everything a file system can, and
// compares trees in every detail that a restore has to bring back.
package treetest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/internal/localfs"
	"hiddenbackup/core/snapshot"
)

// Random returns n bytes that are the same for the same seed and do not
// compress.
func Random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// Write makes a file, and the folders it is in, below dir.
func Write(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Same fails the test at the first entry in which two trees differ.
func Same(t testing.TB, want, got string) {
	t.Helper()
	a, b := walked(t, want), walked(t, got)
	for i := range max(len(a), len(b)) {
		x, y := "nothing", "nothing"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Fatalf("entry %d of %d differs:\nsource   %s\nrestored %s", i, len(a), x, y)
		}
	}
}

// walked describes a tree entry by entry, content included.
func walked(t testing.TB, root string) []string {
	t.Helper()
	var lines []string
	names := make(map[[2]uint64]int)
	err := localfs.Walk(context.Background(), "x", root, localfs.WalkOptions{}, func(it *localfs.Item) error {
		defer it.Release()
		if it.Excluded != "" {
			return nil
		}
		e := it.Entry
		line := fmt.Sprintf("%q %v %04o %d:%d %v %d %q %d %q", e.Path, e.Type, e.Mode, e.UID, e.GID, e.ModTime, e.Size, e.Target, e.Device, e.Xattrs)
		if e.Links > 1 && e.Type == snapshot.TypeFile {
			key := [2]uint64{it.Dev, e.Inode}
			if names[key] == 0 {
				names[key] = len(names) + 1
			}
			line += fmt.Sprintf(" linked %d", names[key])
		}
		if it.Err != nil {
			line += " " + it.Err.Error()
		} else if e.Type == snapshot.TypeFile && e.Size < 64<<20 {
			f, err := it.Open()
			if err != nil {
				return err
			}
			defer f.Close()
			b, err := io.ReadAll(f)
			if err != nil {
				return err
			}
			id := snapshot.IDOf(b)
			line += fmt.Sprintf(" %x", id[:8])
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// Nasty fills dir with everything a file system can hold.
func Nasty(t testing.TB, dir string) {
	t.Helper()
	write := func(name string, content []byte) string { t.Helper(); return Write(t, dir, name, content) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write("empty", nil)
	write("one", []byte{0})
	write("text", []byte(strings.Repeat("all work and no play ", 10000)))
	write("big", Random(1, 9<<20))
	write("big copy", Random(1, 9<<20))
	write("almost", append(Random(1, 5<<20), "and then something else"...))
	write("border", Random(2, snapshot.MinChunk))
	write("border+1", Random(3, snapshot.MinChunk+1))
	write("a/b/c/d/deep", []byte("deep"))
	write("a-b", []byte("sorts between a and a/b only by bytes"))
	write("bad \xff\xfe utf8", []byte("x"))
	write("new\nline \x1b[31m", []byte("y"))
	write(strings.Repeat("n", 255), []byte("long name"))
	must(os.Mkdir(filepath.Join(dir, "empty folder"), 0o700))
	must(os.Symlink("text", filepath.Join(dir, "link")))
	must(os.Symlink("/nowhere/at all", filepath.Join(dir, "dangling")))
	must(os.Symlink("..", filepath.Join(dir, "a", "up")))
	must(os.Link(filepath.Join(dir, "text"), filepath.Join(dir, "a", "hard")))
	must(os.Link(filepath.Join(dir, "text"), filepath.Join(dir, "zz hard")))
	must(unix.Mkfifo(filepath.Join(dir, "pipe"), 0o620))
	must(os.Chmod(write("script", []byte("#!/bin/sh\n")), 0o751))
	must(os.Chmod(write("closed/secret", []byte("s")), 0o400))
	must(os.Chmod(filepath.Join(dir, "closed"), 0o500))
	must(unix.Setxattr(filepath.Join(dir, "one"), "user.comment", []byte{0, 255, 1}, 0))
	old := time.Date(1961, 4, 12, 6, 7, 0, 123456789, time.UTC)
	must(os.Chtimes(filepath.Join(dir, "one"), old, old))
	must(os.Chtimes(filepath.Join(dir, "empty folder"), old, old))
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	must(err)
	for _, off := range []int64{5 << 20, 300 << 20} {
		_, err = sparse.WriteAt(Random(4, 70000), off)
		must(err)
	}
	must(sparse.Truncate(400 << 20))
	must(sparse.Close())
	must(os.Truncate(write("all hole", nil), 1<<20))
	if os.Geteuid() == 0 {
		must(unix.Mknod(filepath.Join(dir, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		must(os.Lchown(filepath.Join(dir, "script"), 1234, 4321))
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "closed"), 0o700) })
}
