package ui_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skip2/go-qrcode"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
	"hiddenbackup/tahoeclient"
	"hiddenbackup/ui/uitest"
)

// stands is for how long the window may stand still. What it does on its own
// loop takes milliseconds, and a long line a third of a second; the rest is for
// a machine that has other work.
const stands = 1500 * time.Millisecond

// The sentences that stand above the page, as core.Explain has them.
const (
	gone        = "A file or directory does not exist."
	notManifest = "This file is not a manifest."
	tooLarge    = "This file or picture is larger than anything a manifest comes in."
	noGrid      = "This does not describe a grid that can be used."
)

// visitor is somebody to whom a page gets given what is no good, and who has
// what is good at hand.
type visitor struct {
	*uitest.Window
	t       *testing.T
	desktop *uitest.Companion
	dir     string
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	uitest.Require(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, dir: t.TempDir()}
	v.Window = start(t, uitest.Options{Width: desktopWidth, Height: desktopHeight})
	v.Patience = 30 * time.Second
	v.desktop = v.Beside(self, desktop)
	return v
}

// file makes a file and returns its path.
func (v *visitor) file(name string, content []byte) string {
	v.t.Helper()
	path := filepath.Join(v.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		v.t.Fatal(err)
	}
	return path
}

// drop drops addresses on the page, as a file manager writes them.
func (v *visitor) drop(list string) {
	v.t.Helper()
	v.desktop.Tell("drag "+v.file(".dragged", []byte(list)), "done")
	v.desktop.Drag(squareX, squareY, "taken")
}

func (v *visitor) dropFile(path string) { v.drop(address(path)) }

func address(path string) string {
	return (&url.URL{Scheme: "file", Path: path}).String() + "\r\n"
}

// paste pastes with the keyboard, instead of what is there.
func (v *visitor) paste(into, text string) {
	v.t.Helper()
	v.desktop.Tell("copy "+v.file(".copied", []byte(text)), "done")
	v.Type(into, "")
	v.Focus(into, uitest.Text)
	v.Keys("ctrl+v")
}

// refuses does what gives the page something that is no good, and sees what it
// must see: a sentence on the page, no box in front of it, and a window that
// goes on answering.
func (v *visitor) refuses(name string, give func(), sentences ...string) {
	v.t.Helper()
	longest := v.Watch()
	give()
	v.SeeOne(sentences...)
	if slow := longest(); slow > stands {
		v.t.Errorf("%s: the window stood still for %s", name, slow)
	}
	if boxes := v.Boxes(); len(boxes) > 0 {
		v.t.Errorf("%s: %v stands in front of the window", name, boxes)
	}
}

// sealedReader is a manifest to restore with, of a practice grid that nobody
// runs.
func sealedReader(t *testing.T) []byte {
	t.Helper()
	nobody, err := manifest.ParseFurl("pb://" + tub + "@tcp:127.0.0.1:1/" + swiss)
	if err != nil {
		t.Fatal(err)
	}
	grid := manifest.Grid{Network: manifest.NetworkPractice, Needed: 3, Happy: 5, Total: 6,
		Introducers: []manifest.Introducer{{Name: "introducer-1", Furl: nobody}}}
	secret, err := manifest.NewSecret(nil)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := tahoeclient.ParseCap("URI:DIR2-RO:" + strings.Repeat("a", 26) + ":" + strings.Repeat("a", 52))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := manifest.Seal(&manifest.Reader{Name: "any", Generation: 1, Created: time.Now().UTC().Truncate(time.Second),
		Grid: grid, Vault: vault, RootSecret: secret}, []byte(passphrase), nil)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// The address of an introducer that is not there.
const (
	tub, swiss = "cgkcbimwfe5bcv55q4y4v2ynmyfq5jz4", "abcdefghijklmnopqrstuvwxyz234567"
	furl       = "pb://" + tub + "@tor:a4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaamaaqd.onion:8000/" + swiss
)

// claimsToBe is a small picture that says it has that many points.
func claimsToBe(width, height uint32) []byte {
	header := append([]byte("IHDR"), make([]byte, 13)...)
	binary.BigEndian.PutUint32(header[4:], width)
	binary.BigEndian.PutUint32(header[8:], height)
	header[12] = 8 // bits; shades of grey
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	b = append(b, header...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header))
}

func pictureOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unreadable is a file that even the superuser may not read, or whose mode keeps
// us out; empty where there is none.
func (v *visitor) unreadable() string {
	closed := v.file("closed", []byte("secret"))
	if err := os.Chmod(closed, 0); err != nil {
		v.t.Fatal(err)
	}
	for _, path := range []string{closed, "/proc/sys/vm/compact_memory"} {
		f, err := os.Open(path)
		if os.IsPermission(err) {
			return path
		}
		if err == nil {
			f.Close()
		}
	}
	return ""
}

// Whatever is dropped or pasted where a manifest belongs ends in a sentence, and
// the right one opens on the same page afterwards: a person in a hurry tries
// what she finds, and must neither lose the window nor have to begin again.
func TestUnlockTakesWhateverItIsGiven(t *testing.T) {
	v := newVisitor(t)
	sealed := sealedReader(t)
	good := v.file("good.manifest", sealed)
	armoured, err := manifest.Armour(sealed)
	if err != nil {
		t.Fatal(err)
	}
	var code bytes.Buffer
	if err := paper.WritePNG(&code, sealed); err != nil {
		t.Fatal(err)
	}
	other, err := qrcode.Encode("https://example.org/hidden-backup", qrcode.Medium, 400)
	if err != nil {
		t.Fatal(err)
	}
	pipe, loop, socket := filepath.Join(v.dir, "pipe"), filepath.Join(v.dir, "loop"), filepath.Join(v.Runtime, "socket")
	huge := v.file("huge", nil)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, err := range []error{syscall.Mkfifo(pipe, 0o600), os.Symlink(loop, loop), os.Truncate(huge, 200<<20)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	blank := image.NewPaletted(image.Rect(0, 0, 8000, 8000), color.Palette{color.White, color.Black})
	flipped := bytes.Clone(armoured)
	flipped[len(flipped)/2] ^= 1

	const found = "Its four words"
	type thing struct{ name, list, want string }
	things := []thing{
		{"a pipe that nobody writes to", address(pipe), notManifest},
		{"a directory", address(v.dir), "A directory stands where a file is needed."},
		{"a socket", address(socket), notManifest},
		{"a device without end", address("/dev/zero"), notManifest},
		{"an empty file", address(v.file("empty", nil)), notManifest},
		{"200 MB", address(huge), tooLarge},
		{"random bytes", address(v.file("random", sealed[100:1700])), notManifest},
		{"a truncated manifest", address(v.file("cut", sealed[:len(sealed)-1])), notManifest},
		{"a text with a wrong bit", address(v.file("flipped.txt", flipped)), "The manifest's text form is damaged."},
		{"a file that is gone", address(filepath.Join(v.dir, "gone")), gone},
		{"a name made to deceive", address(v.dir + "/\u202etxt.exe\x01\n\xff%s"), gone},
		{"links in a circle", address(loop), notManifest},
		{"another QR code", address(v.file("other.png", other)), "The QR code in this picture is something else than a manifest."},
		{"no QR code", address(v.file("blank.png", pictureOf(t, blank))), "No QR code in this picture could be read."},
		{"a small file that claims to be a giant picture", address(v.file("bomb.png", claimsToBe(30000, 30000))), tooLarge},
		{"a truncated picture", address(v.file("cut.png", code.Bytes()[:code.Len()/2])), "This picture cannot be read."},
		{"an address on the web", "http://example.org/my.manifest\r\n", notManifest},
		{"a list of a thousand", strings.Repeat(address(filepath.Join(v.dir, "gone")), 1000), gone},
		{"no address at all", "\x00\xff%zz\r\n", notManifest},
		{"a megabyte of anything", strings.Repeat("\x00x", 1<<19), notManifest},
	}
	if path := v.unreadable(); path != "" {
		things = append(things, thing{"a file that may not be read", address(path), "A file or directory may not be used by you."})
	}
	v.Press("Restore After a Journey")
	v.See("Step 1 of 6")
	for _, c := range things {
		v.refuses(c.name, func() { v.drop(c.list) }, c.want)
		if strings.Contains(v.Text(), found) {
			t.Errorf("%s: the page says that there is a manifest", c.name)
		}
		v.dropFile(good)
		v.See("good.manifest. " + found)
	}

	// The desktop's own question for a file, with what it lets through.
	for _, path := range []string{pipe, "/dev/zero"} {
		v.refuses(path, func() {
			v.Press("Choose the Manifest File")
			v.ChooseFile(path, "Open")
		}, notManifest)
	}

	v.Check("Paste Text", true)
	v.See("Text of the Manifest")
	for _, c := range []thing{
		{"another text", "Dear Anna", notManifest},
		{"signs that are no letters", "\u202eexe\u2066\x01\x1b[2J\x7f\ufeff", notManifest},
		{"a text that ends early", "HIDDEN\x00BACKUP", notManifest},
		{"a text with a wrong letter", string(flipped), "The manifest's text form is damaged."},
		{"half a text", string(armoured[:len(armoured)/2]), "The manifest's text form is damaged."},
		{"three megabytes in a line", strings.Repeat("x", 3<<20), tooLarge},
		{"a quarter of a megabyte in a line", strings.Repeat("x", 256<<10), notManifest},
	} {
		v.refuses(c.name, func() { v.paste("Text of the Manifest", c.list) }, c.want)
		v.Press("Close This Message")
		v.Gone(c.want)
	}
	v.paste("Text of the Manifest", string(armoured))
	v.See(found)

	// Nothing in the sealed bytes tells that one of them is wrong, but that they do not open.
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)/2] ^= 1
	v.dropFile(v.file("damaged", damaged))
	v.See("damaged. " + found)
	v.Type("Passphrase", passphrase)
	v.refuses("a wrong bit", func() { v.Press("Unlock") }, "the passphrase is wrong, or the file is damaged")

	// Once it was looked at, the file may go.
	v.dropFile(good)
	v.See("good.manifest. " + found)
	if err := os.Remove(good); err != nil {
		t.Fatal(err)
	}
	v.Type("Passphrase", passphrase)
	v.Press("Unlock")
	v.See("Step 2 of 6")
}

// The same where a grid is described: its addresses come from strangers.
func TestJoinTakesWhateverItIsGiven(t *testing.T) {
	v := newVisitor(t)
	const field = "Invites, Description or Addresses of the Grid"
	pipe, huge := filepath.Join(v.dir, "pipe"), v.file("huge", nil)
	for _, err := range []error{syscall.Mkfifo(pipe, 0o600), os.Truncate(huge, 200<<20)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	sealed := sealedReader(t)
	armoured, err := manifest.Armour(sealed)
	if err != nil {
		t.Fatal(err)
	}
	v.Press("Back Up Before a Journey")
	v.Press("Make a New Backup")
	v.See("Step 1 of 5")
	for _, path := range []string{pipe, huge, v.file("sealed", sealed)} {
		v.refuses(path, func() {
			v.Press("Open a File…")
			v.ChooseFile(path, "Open")
		}, noGrid)
		v.Press("Close This Message")
	}
	for _, c := range []struct{ name, text string }{
		{"another text", "Dear Anna"},
		{"signs that are no letters", "\u202epb://\u2066\x01\x1b[2J\x7f\ufeff"},
		{"a text that ends early", "pb://\x00"},
		{"a manifest", string(armoured)},
		{"an address on the web", "https://example.org/grid.json"},
		{"an address that is not hidden", "pb://" + tub + "@tcp:192.0.2.1:80/" + swiss},
		{"a thousand addresses", strings.Repeat(furl+"\n", 1000)},
		{"half an invite", "HIDDEN BACKUP INVITE V1 BYTES 300 DATA ABCDEF"},
		{"half a description", `{"network": "tor", "servers": [`},
		{"brackets without end", strings.Repeat(`{"a":`, 5000)},
		{"three megabytes in a line", strings.Repeat("x", 3<<20)},
		{"a megabyte of addresses", strings.Repeat(furl+"\n", 8000)},
	} {
		v.refuses(c.name, func() {
			v.paste(field, c.text)
			if len(c.text) < 512<<10 { // what is longer is refused at once
				v.Press("Next")
			}
		}, noGrid)
		v.Press("Close This Message")
		v.Gone(noGrid)
	}
	v.paste(field, furl)
	v.Press("Next")
	v.See("Step 2 of 5")
}
