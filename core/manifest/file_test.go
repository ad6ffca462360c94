package manifest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestSaveLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "field.manifest")
	if err := Save(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := Save(path, []byte("two")); !errors.Is(err, ErrExists) {
		t.Errorf("saving over a file: %v", err)
	}
	if data, err := Load(path); err != nil || string(data) != "one" {
		t.Errorf("the first file is %q: %v", data, err)
	}
	if err := Replace(path, []byte("three")); err != nil {
		t.Fatal(err)
	}
	if data, err := Load(path); err != nil || string(data) != "three" {
		t.Errorf("the replaced file is %q: %v", data, err)
	}
	onlyFile(t, dir, "field.manifest")
}

func TestSaveDoesNotFollowOrReplaceALink(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, []byte("x")); !errors.Is(err, ErrExists) {
		t.Errorf("saving over a dangling link: %v", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
}

// The manifest on her stick is what a link to it stands for.
func TestReplaceWritesBehindALink(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, []byte("old"), 0o600), os.Symlink(target, path), Replace(path, []byte("new"))); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != "new" {
		t.Errorf("behind the link stands %q, %v", data, err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is %v, %v", info, err)
	}
}

// TestSaveLeavesNothingHalf looks at what is left when the last step cannot be done.
func TestSaveLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("power cut")
	err := save(path, []byte("new"), func(temp string) error {
		if data, err := os.ReadFile(temp); err != nil || string(data) != "new" {
			t.Errorf("the temporary file is not whole before it gets its name: %q, %v", data, err)
		}
		if filepath.Dir(temp) != dir {
			t.Errorf("the temporary file is in %s, from where a rename may copy", filepath.Dir(temp))
		}
		return stopped
	})
	if !errors.Is(err, stopped) {
		t.Error(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "old" {
		t.Errorf("the old file is now %q: %v", data, err)
	}
	onlyFile(t, dir, "m")

	if err := Save(filepath.Join(dir, "no", "such", "dir"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "sub"), nil); err == nil {
		t.Error("a directory was replaced")
	}
	if err := os.Remove(filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	onlyFile(t, dir, "m")
}

func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("files left: %v", entries)
	}
}

func TestLoadRefusesHugeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil {
		t.Skip("no sparse files here:", err)
	}
	if _, err := Load(path); !errors.Is(err, ErrNotManifest) {
		t.Error(err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), maxInput), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := Load(path); err != nil || len(data) != maxInput {
		t.Errorf("%d bytes: %v", len(data), err)
	}
}
