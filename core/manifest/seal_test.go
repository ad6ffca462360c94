package manifest

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"
)

var passphrase = []byte("  Zürich\tcafé No 17 \n")

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func seal(t testing.TB, c Content) []byte {
	t.Helper()
	sealed, err := Seal(c, passphrase, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// TestVersion1OpensForever is never to be made to pass by writing new files.
func TestVersion1OpensForever(t *testing.T) {
	if *work.Load() != production {
		t.Fatal("the test profile is still set")
	}
	for name, power := range map[string]Power{"v1-owner": PowerOwner, "v1-reader": PowerReader} {
		sealed := read(t, name+".sealed")
		opened, err := Open(sealed, passphrase)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, err := DecodePlain(read(t, name+".json"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if opened.Power != power || !reflect.DeepEqual(opened, want) {
			t.Errorf("%s opens to something else", name)
		}
		fromArmour, err := Dearmour(read(t, name+".txt"))
		if err != nil || !bytes.Equal(fromArmour, sealed) {
			t.Errorf("%s: its armour is something else: %v", name, err)
		}
	}
}

func TestSealRoundTrip(t *testing.T) {
	SetTestProfile(t)
	m := newFixture(t).manifest(6)
	r, err := m.Reader()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Content{m, r} {
		sealed := seal(t, c)
		text, err := Armour(sealed)
		if err != nil {
			t.Fatal(err)
		}
		for form, data := range map[string][]byte{"binary": sealed, "armour": text} {
			opened, err := Open(data, passphrase)
			if err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			if !reflect.DeepEqual(opened.content(), c) {
				t.Errorf("%s: another manifest came out", form)
			}
		}
	}
	if string(passphrase) != "  Zürich\tcafé No 17 \n" {
		t.Error("the caller's passphrase was changed")
	}
}

func TestSixServersFitTwoKiB(t *testing.T) {
	SetTestProfile(t)
	m := newFixture(t).manifest(6)
	if n := len(seal(t, m)); n != 2048 {
		t.Errorf("six servers take %d bytes", n)
	}
	for n := 1; n <= 140; n += 20 {
		m := newFixture(t).manifest(n)
		sealed := seal(t, m)
		if !sealedSize(len(sealed)) {
			t.Errorf("%d servers take %d bytes, which is no size of ours", n, len(sealed))
		}
		if _, err := Open(sealed, passphrase); err != nil {
			t.Errorf("%d servers: %v", n, err)
		}
	}
}

func TestSealedLooksRandom(t *testing.T) {
	SetTestProfile(t)
	m := newFixture(t).manifest(3)
	a, b := seal(t, m), seal(t, m)
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	if same > 40 { // 8 are expected; 40 come less than once in 10^15
		t.Errorf("two seals of one manifest agree in %d of %d bytes", same, len(a))
	}
}

func TestEveryAlteredByteIsFound(t *testing.T) {
	SetTestProfile(t)
	sealed := seal(t, newFixture(t).manifest(2))
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1 << (i % 8)
		if opened, err := Open(altered, passphrase); !errors.Is(err, ErrPassphrase) || opened != nil {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	SetTestProfile(t)
	m := newFixture(t).manifest(12) // 4 KiB, so one truncation has a size of ours
	sealed := seal(t, m)
	for n := range sealed {
		_, err := Open(sealed[:n], passphrase)
		if want := ErrNotManifest; !sealedSize(n) && !errors.Is(err, want) || err == nil {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for _, more := range []int{1, 2, 1024, len(sealed)} {
		if _, err := Open(append(bytes.Clone(sealed), make([]byte, more)...), passphrase); err == nil {
			t.Errorf("%d bytes more are accepted", more)
		}
	}
}

func TestWrongPassphrase(t *testing.T) {
	SetTestProfile(t)
	sealed := seal(t, newFixture(t).manifest(1))
	for _, p := range []string{"zürich café No 17", "Zürich café No 18", "Zürichcafé No 17", "Zurich cafe No 17", "x"} {
		if _, err := Open(sealed, []byte(p)); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%q: %v", p, err)
		}
	}
	for _, p := range []string{"", " \n", "\xff\xfe", strings.Repeat("a", 1025)} {
		if _, err := Open(sealed, []byte(p)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.10q: %v", p, err)
		}
		if _, err := Seal(newFixture(t).manifest(1), []byte(p), nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("sealing with %.10q: %v", p, err)
		}
	}
}

func TestNotAManifest(t *testing.T) {
	SetTestProfile(t)
	for name, data := range map[string][]byte{
		"empty": {}, "one byte": {7}, "text": []byte("hello, world\n"), "plain manifest": read(t, "v1-owner.json"),
		"a picture": append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 5000)...),
		"just over": make([]byte, 2049), "too large": make([]byte, largestSealed*2), "huge": make([]byte, maxInput+1),
		"short base64": []byte("aGVsbG8="),
	} {
		if _, err := Open(data, passphrase); !errors.Is(err, ErrNotManifest) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Words(data); !errors.Is(err, ErrNotManifest) {
			t.Errorf("words of %s: %v", name, err)
		}
		if _, err := Armour(data); !errors.Is(err, ErrNotManifest) {
			t.Errorf("armour of %s: %v", name, err)
		}
	}
}

// endless counts what was taken from it.
type endless struct{ taken int }

func (e *endless) Read(p []byte) (int, error) {
	e.taken += len(p)
	return len(p), nil
}

func TestReadStopsAtHugeFiles(t *testing.T) {
	e := &endless{}
	if _, err := Read(e); !errors.Is(err, ErrNotManifest) {
		t.Error(err)
	}
	if e.taken > 2*maxInput {
		t.Errorf("%d bytes were read", e.taken)
	}
	if data, err := Read(strings.NewReader("abc")); err != nil || string(data) != "abc" {
		t.Error(err)
	}
}

func TestSealNeedsRandom(t *testing.T) {
	SetTestProfile(t)
	if _, err := Seal(newFixture(t).manifest(1), passphrase, strings.NewReader("too short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// TestUnpackTrustsNothing is about a file whose maker knows the passphrase.
func TestUnpackTrustsNothing(t *testing.T) {
	SetTestProfile(t)
	deflate := func(s []byte) []byte {
		var buf bytes.Buffer
		w, err := flate.NewWriterDict(&buf, flate.BestCompression, []byte(sealDictionary))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(s); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	good := deflate([]byte("{}"))
	cases := map[string][]byte{
		"no padding": good, "zeros": {}, "bad padding": append(bytes.Clone(good), 0x80, 1), "bytes after the end": append(bytes.Clone(good), 'x', 0x80),
		"cut":  append(bytes.Clone(good[:len(good)-2]), 0x80),
		"bomb": append(deflate(make([]byte, 1<<20)), 0x80), "not JSON": append(deflate([]byte("hello")), 0x80),
		"no fields": append(deflate([]byte("{}")), 0x80),
	}
	for name, body := range cases {
		packed := make([]byte, smallestSealed-overhead)
		copy(packed, body)
		if name == "no padding" {
			for i := len(body); i < len(packed); i++ {
				packed[i] = 7
			}
		}
		head := make([]byte, saltSize+nonceSize)
		key, err := deriveKey(passphrase, head[:saltSize])
		if err != nil {
			t.Fatal(err)
		}
		var nonce [nonceSize]byte
		_, err = Open(secretbox.Seal(head, packed, &nonce, &key), passphrase)
		if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrNotManifest) || errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIncompressibleManifestFits(t *testing.T) {
	m := newFixture(t).manifest(1)
	random := rand.New(rand.NewPCG(1, 2))
	m.Folders = nil
	for i := range maxFolders {
		name := []rune{rune('0' + i%10)}
		for range 12 {
			name = append(name, rune(0x4e00+random.IntN(0x5000)))
		}
		m.Folders = append(m.Folders, Folder{Name: string(name), Path: "/"})
		if _, err := EncodePlain(m); err != nil {
			m.Folders = m.Folders[:i]
			break
		}
	}
	SetTestProfile(t)
	if opened, err := Open(seal(t, m), passphrase); err != nil || !reflect.DeepEqual(opened.Owner, m) {
		t.Error(err)
	}
}

func TestChangePassphrase(t *testing.T) {
	SetTestProfile(t)
	m := newFixture(t).manifest(1)
	sealed := seal(t, m)
	changed, err := ChangePassphrase(sealed, passphrase, []byte("another one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(changed, passphrase); !errors.Is(err, ErrPassphrase) {
		t.Errorf("the old passphrase: %v", err)
	}
	opened, err := Open(changed, []byte("another one"))
	if err != nil || !reflect.DeepEqual(opened.Owner, m) {
		t.Errorf("the new passphrase: %v", err)
	}
	if _, err := ChangePassphrase(sealed, []byte("wrong"), []byte("x"), nil); !errors.Is(err, ErrPassphrase) {
		t.Error(err)
	}
	if _, err := ChangePassphrase(read(t, "legacy.json"), nil, []byte("x"), nil); !errors.Is(err, ErrPower) {
		t.Error(err)
	}
}

func TestTestProfileEndsWithItsTest(t *testing.T) {
	t.Run("inner", func(t *testing.T) {
		SetTestProfile(t)
		if *work.Load() == production {
			t.Error("still the real profile")
		}
	})
	if *work.Load() != production {
		t.Error("the real profile did not come back")
	}
	// What the format promises; a change here is a new format version.
	if production != (profile{time: 4, memory: 512 * 1024, threads: 4, scryptP: 1000}) {
		t.Error("the profile of version 1 was changed")
	}
}
