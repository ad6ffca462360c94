package core

import (
	"crypto/sha3"
	"encoding/base32"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/node/nodetest"
	"hiddenbackup/core/paper"
	"hiddenbackup/core/progress"
)

// What a file chooser can deliver ends in an error that Explain knows, soon.
func TestReadCopyTakesWhateverIsChosen(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := file("huge", nil)
	if err := os.Truncate(huge, 1<<40); err != nil {
		t.Fatal(err)
	}
	loop, socket := filepath.Join(dir, "loop"), filepath.Join(nodetest.Dir(t), "socket")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, c := range []struct {
		path string
		want error
	}{
		{dir, syscall.EISDIR},
		{pipe, manifest.ErrNotManifest},
		{loop, manifest.ErrNotManifest},
		{socket, manifest.ErrNotManifest},
		{"/dev/zero", manifest.ErrNotManifest},
		{file("empty", nil), manifest.ErrNotManifest},
		{filepath.Join(dir, "gone"), fs.ErrNotExist},
		{huge, paper.ErrTooLarge},
	} {
		if _, err := ReadCopy(c.path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.path, err, c.want)
		}
		if _, err := ReadText(c.path); !errors.Is(err, c.want) {
			t.Errorf("as text, %s: %v, want %v", c.path, err, c.want)
		}
	}
	// What is shown of a name cannot pretend to be something else.
	if _, err := ReadCopy(filepath.Join(dir, "\u202etxt.exe")); err == nil || strings.Contains(err.Error(), "\u202e") {
		t.Errorf("a name that turns the text around: %v", err)
	}
	if got, err := ReadText(file("text", []byte("pb://"))); err != nil || got != "pb://" {
		t.Errorf("a text reads as %q, %v", got, err)
	}
	if _, err := ReadText(file("binary", []byte("a\x00b"))); !errors.Is(err, manifest.ErrInvalid) {
		t.Errorf("a binary file: %v", err)
	}
}

func TestJoinGridTakesWhateverIsPasted(t *testing.T) {
	const tub, swiss = "cgkcbimwfe5bcv55q4y4v2ynmyfq5jz4", "abcdefghijklmnopqrstuvwxyz234567"
	introducer := "pb://" + tub + "@tor:" + onionName(7) + ":8000/" + swiss
	onion := "pb://" + tub + "@tor:" + strings.Repeat("a", 56) + ".onion:8000/" + swiss
	for text, good := range map[string]bool{
		"":                             false,
		"hello":                        false,
		"{":                            false,
		`{"network":"tor"}`:            false,
		onion + "\nhello":              false,
		strings.Repeat(onion+"\n", 20): false,
		"pb://" + tub + "@tcp:192.0.2.1:80/" + swiss: false, // an open address would leak
		"\x00\xff": false,
		introducer: true,
		" " + introducer + "\r\n" + strings.Replace(introducer, onionName(7), onionName(8), 1) + "\n": true,
	} {
		if _, err := JoinGrid([]byte(text)); (err == nil) != good {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// onionName is the valid name of an onion service that does not exist.
func onionName(n byte) string {
	key := make([]byte, 32)
	key[0] = n
	sum := sha3.Sum256(append(append([]byte(".onion checksum"), key...), 3))
	return strings.ToLower(base32.StdEncoding.EncodeToString(append(key, sum[0], sum[1], 3))) + ".onion"
}

// A folder in the home directory comes back into a home of another name, and no
// two folders have one name.
func TestNewFolderNamesAreUnique(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	var list []manifest.Folder
	for _, c := range []struct{ path, name, want string }{
		{"/home/ada/Documents", "Documents", "~/Documents"},
		{"/mnt/Documents", "Documents-2", "/mnt/Documents"},
		{"~/.ssh", ".ssh", "~/.ssh"},
		{"/home/ada", "ada", "~"},
		{"/home/adam/x", "x", "/home/adam/x"},
	} {
		f, err := NewFolder(c.path, 2, list)
		if err != nil || f.Name != c.name || f.Path != c.want {
			t.Errorf("%s is %+v, %v", c.path, f, err)
		}
		list = append(list, f)
	}
	if _, err := NewFolder("/bad\xff", 2, nil); err == nil {
		t.Error("a path that no manifest can hold was taken")
	}
}

func TestMeasureCountsWhatABackupWouldHold(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for name, size := range map[string]int{"docs/a": 100, "docs/inner/b": 50, "docs/c.iso": 1000} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(home, "docs/a"), filepath.Join(home, "docs/again")); err != nil {
		t.Fatal(err)
	}
	folders := []manifest.Folder{{Name: "docs", Path: "~/docs"}, {Name: "inner", Path: "~/docs/inner"}, {Name: "gone", Path: "~/gone"}}
	counts := []*progress.Tracker{{}, {}, {}}
	err := Measure(t.Context(), folders, Filters{Rules: []string{"- *.iso"}}, counts)
	if !errors.Is(err, ErrFolder) {
		t.Errorf("a folder that is gone: %v", err)
	}
	for i, want := range []progress.Status{{Entries: 1, Bytes: 100}, {Entries: 1, Bytes: 50}, {Problems: 1}} {
		if s := counts[i].Status(); s.Entries != want.Entries || s.Bytes != want.Bytes || s.Problems != want.Problems {
			t.Errorf("%s: %+v", folders[i].Name, s)
		}
	}
	if err := Measure(t.Context(), nil, Filters{Rules: []string{"nonsense"}}, nil); !errors.Is(err, ErrRule) {
		t.Errorf("a rule that means nothing: %v", err)
	}
}

func TestSamePassphrase(t *testing.T) {
	for _, c := range []struct {
		typed, chosen string
		same          bool
	}{
		{"one two three", "one two three", true},
		{"  One  TWO\tthree ", "one two three", true},
		{"one two", "one two three", false},
		{"Own Phrase", "Own Phrase", true},
		{"own phrase", "Own Phrase", false},
		{"", "", false},
	} {
		if got := SamePassphrase([]byte(c.typed), []byte(c.chosen)); got != c.same {
			t.Errorf("%q for %q: %v", c.typed, c.chosen, got)
		}
	}
}

func TestTwoWindowsOfOnePerson(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", nodetest.Dir(t))
	unlock, err := LockProgram(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockProgram(Config{}); !errors.Is(err, ErrRunning) {
		t.Errorf("a second window: %v", err)
	}
	unlock()
	if unlock, err = LockProgram(Config{}); err != nil {
		t.Errorf("after the first was closed: %v", err)
	} else {
		unlock()
	}
}
