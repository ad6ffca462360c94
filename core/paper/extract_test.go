package paper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skip2/go-qrcode"

	"hiddenbackup/core/manifest"
)

func pictureOf(t testing.TB, b []byte) image.Image {
	t.Helper()
	s, err := newSheet(b)
	if err != nil {
		t.Fatal(err)
	}
	return s.picture(8)
}

func TestPhotographsAreRead(t *testing.T) {
	one, two := sealed(2048), sealed(4096)
	sheet, twoCodes := pictureOf(t, one), pictureOf(t, two)
	for name, c := range map[string]struct {
		photo
		sheet image.Image
		want  []byte
	}{
		"straight":          {photo{width: 1400, contrast: 1, quality: 90}, sheet, one},
		"turned a little":   {photo{width: 1400, turn: 7, contrast: .7, noise: 8, blur: 1, quality: 75}, sheet, one},
		"on its tip":        {photo{width: 1400, turn: 45, contrast: .7, noise: 8, blur: 1, quality: 75}, sheet, one},
		"upside down, dim":  {photo{width: 1400, turn: 187, contrast: .3, shade: .3, noise: 8, blur: 1, margin: 200, quality: 75}, sheet, one},
		"from far aside":    {photo{width: 1400, turn: 3, tilt: .1, contrast: .7, shade: .3, noise: 8, blur: 1, margin: 200, quality: 75}, sheet, one},
		"bent":              {photo{width: 1400, turn: 3, tilt: .03, bulge: .03, contrast: .7, noise: 8, blur: 1, margin: 200, quality: 75}, sheet, one},
		"large and blurred": {photo{width: 2400, turn: -12, tilt: .05, bulge: .02, contrast: .7, shade: .4, noise: 12, blur: 4, margin: 300, quality: 75}, sheet, one},
		"small":             {photo{width: 700, turn: 2, contrast: .7, noise: 5, margin: 200, quality: 75}, sheet, one},
		"two codes":         {photo{width: 2600, turn: 33, tilt: .03, bulge: .01, contrast: .7, noise: 5, blur: 1, margin: 200, quality: 75}, twoCodes, two},
	} {
		if name != "turned a little" && raced() {
			continue
		}
		if got, err := Extract(c.take(t, c.sheet)); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A code of which a corner of the data is gone is still read, and one of which a third is gone is
// not taken for something else.
func TestStainsAreCorrectedOrNoticed(t *testing.T) {
	b := sealed(2048)
	stained := func(side int) []byte {
		g := grey(pictureOf(t, b))
		for y := 700; y < 700+side; y++ {
			for x := 700; x < 700+side; x++ {
				g.SetGray(x, y, color.Gray{Y: 30})
			}
		}
		return encoded(t, g)
	}
	if got, err := Extract(stained(200)); err != nil || !bytes.Equal(got, b) {
		t.Errorf("a small stain: %v", err)
	}
	if _, err := Extract(stained(700)); !errors.Is(err, ErrNoCode) {
		t.Errorf("a large stain: %v", err)
	}
}

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestTransparentAndColouredPicturesAreRead(t *testing.T) {
	b := sealed(2048)
	sheet := pictureOf(t, b)
	glass, ink := image.NewNRGBA(sheet.Bounds()), image.NewRGBA(sheet.Bounds())
	for y := range sheet.Bounds().Dy() {
		for x := range sheet.Bounds().Dx() {
			ink.Set(x, y, color.RGBA{250, 240, 200, 255})
			if r, _, _, _ := sheet.At(x, y).RGBA(); r == 0 {
				glass.Set(x, y, color.Black)
				ink.Set(x, y, color.RGBA{20, 20, 120, 255})
			}
		}
	}
	for name, img := range map[string]image.Image{"transparent": glass, "blue on yellow": ink} {
		if got, err := Extract(encoded(t, img)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPicturesOfSomethingElse(t *testing.T) {
	address, err := qrcode.Encode("https://example.org/hidden-backup", qrcode.Medium, 400)
	if err != nil {
		t.Fatal(err)
	}
	blank := image.NewGray(image.Rect(0, 0, 900, 900))
	for i := range blank.Pix {
		blank.Pix[i] = 250
	}
	texts := textsOf(t, sealed(4096))
	second, err := code(texts[1])
	if err != nil {
		t.Fatal(err)
	}
	half := sheet{columns: 1, rows: 1, codes: [][][]bool{second}}
	other := sealed(4096)
	other[5]++
	a, err := newSheet(sealed(4096))
	if err != nil {
		t.Fatal(err)
	}
	b, err := newSheet(other)
	if err != nil {
		t.Fatal(err)
	}
	a.codes[1] = b.codes[1]
	for name, c := range map[string]struct {
		picture []byte
		want    error
	}{
		"an address":         {address, ErrOtherCode},
		"white paper":        {encoded(t, blank), ErrNoCode},
		"one dot":            {encoded(t, image.NewGray(image.Rect(0, 0, 1, 1))), ErrNoCode},
		"the second of two":  {encoded(t, half.picture(6)), ErrParts},
		"of two manifests":   {encoded(t, a.picture(6)), ErrMixed},
		"a code cut in half": {encoded(t, grey(pictureOf(t, sealed(2048))).SubImage(image.Rect(0, 0, 1480, 700))), ErrNoCode},
	} {
		if _, err := Extract(c.picture); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// claim is a PNG of that many pixels, says its header.
func claim(width, height uint32) []byte {
	head := []byte("IHDR")
	head = binary.BigEndian.AppendUint32(head, width)
	head = binary.BigEndian.AppendUint32(head, height)
	head = append(head, 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	out = append(out, head...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(head))
}

func TestHostileFilesAreRefused(t *testing.T) {
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, grey(pictureOf(t, sealed(2048))), nil); err != nil {
		t.Fatal(err)
	}
	whole := pngOf(t, sealed(2048))
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"huge PNG":             {claim(100_000, 100_000), ErrTooLarge},
		"wide PNG":             {claim(1<<26+1, 1), ErrTooLarge},
		"PNG beyond counting":  {claim(1<<31-1, 1<<31-1), ErrPicture},
		"PNG of no width":      {claim(0, 5), ErrPicture},
		"only a header":        {claim(100, 100), ErrPicture},
		"PNG cut off":          {whole[:len(whole)/2], ErrPicture},
		"JPEG cut off":         {photo.Bytes()[:photo.Len()/2], ErrPicture},
		"JPEG of three bytes":  {[]byte("\xff\xd8\xff"), ErrPicture},
		"a PDF":                {[]byte("%PDF-1.3\n1 0 obj"), ErrPicture},
		"from a telephone":     {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), ErrPicture},
		"WebP":                 {[]byte("RIFF\x00\x00\x00\x00WEBPVP8 "), ErrPicture},
		"SVG":                  {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), ErrPicture},
		"a damaged text":       {[]byte(textsOf(t, sealed(2048))[0][:2000]), ErrDamaged},
		"a part and no others": {[]byte(textsOf(t, sealed(4096))[0]), ErrParts},
	} {
		if _, err := Extract(c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Thousands of corners, and stripes that look like one in every line, must not hold us up.
func TestPicturesMadeToBeSlowEnd(t *testing.T) {
	slow(t)
	corners, stripes := image.NewGray(image.Rect(0, 0, 3600, 3600)), image.NewGray(image.Rect(0, 0, 3600, 3600))
	for y := range 3600 {
		for x := range 3600 {
			ring := max(x%27/3, y%27/3, 8-x%27/3, 8-y%27/3) // 8 is the edge of a cell, 4 its middle
			corners.SetGray(x, y, color.Gray{Y: map[bool]uint8{true: 255}[ring == 8 || ring == 6]})
			stripes.SetGray(x, y, color.Gray{Y: map[bool]uint8{true: 255}[slices.Contains([]int{1, 5, 7}, x/2%8)]})
		}
	}
	for name, img := range map[string]image.Image{"corners": corners, "stripes": stripes} {
		start := time.Now()
		if _, err := Extract(encoded(t, img)); !errors.Is(err, ErrNoCode) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 4*patience {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// What is not of paper goes to the manifest package as it is.
func TestOtherFormsPassUnchanged(t *testing.T) {
	b := sealed(2048)
	armour, err := manifest.Armour(b)
	if err != nil {
		t.Fatal(err)
	}
	// One sealed file in some millions begins as a JPEG or a GIF does.
	likeJPEG, likeGIF := sealed(2048), sealed(4096)
	copy(likeJPEG, "\xff\xd8\xff\xe0")
	copy(likeGIF, "GIF89a")
	for name, data := range map[string][]byte{
		"nothing": {}, "sealed": b, "armour": armour, "text": []byte("hello"), "plain": []byte(`{"type":"hidden-backup-manifest"}`),
		"like a JPEG": likeJPEG, "like a GIF": likeGIF, "large": make([]byte, 3<<20),
	} {
		if got, err := Extract(data); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestInspectKnowsEveryForm(t *testing.T) {
	b := sealed(2048)
	words, err := manifest.Words(b)
	if err != nil {
		t.Fatal(err)
	}
	armour, err := manifest.Armour(b)
	if err != nil {
		t.Fatal(err)
	}
	padded := append(bytes.Clone(armour), bytes.Repeat([]byte("\n"), 8192-len(armour))...) // the size of a sealed file
	text := textsOf(t, b)[0]
	for name, c := range map[string]struct {
		data []byte
		form Form
	}{
		"bytes": {b, Bytes}, "armour": {armour, Armour}, "padded armour": {padded, Armour}, "QR text": {[]byte(text), QR}, "picture": {pngOf(t, b), Picture},
		"armour beside half a QR text": {append([]byte(text[:500]+"\n"), armour...), Armour},
	} {
		got, err := Inspect(c.data)
		if err != nil || got.Form != c.form || !bytes.Equal(got.Sealed, b) || got.Words != words {
			t.Errorf("%s: %v %q %v", name, got.Form, got.Words, err)
		}
	}
	damaged := bytes.Replace(armour, armour[200:204], []byte("0000"), 1)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"damaged armour": {damaged, manifest.ErrArmour}, "cut bytes": {b[:2000], manifest.ErrNotManifest},
		"text": {[]byte("hello"), manifest.ErrNotManifest}, "nothing": {nil, manifest.ErrNotManifest}, "large": {make([]byte, 3<<20), manifest.ErrNotManifest},
	} {
		if _, err := Inspect(c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWordsAreCompared(t *testing.T) {
	c, err := Inspect(sealed(2048))
	if err != nil {
		t.Fatal(err)
	}
	for _, same := range []string{c.Words, "  " + strings.ToUpper(c.Words) + " ", strings.ReplaceAll(c.Words, " ", ",  ")} {
		if err := c.Compare(same); err != nil {
			t.Errorf("%q: %v", same, err)
		}
	}
	for _, other := range []string{"one two three four", c.Words + " more", strings.Fields(c.Words)[0]} {
		if err := c.Compare(other); !errors.Is(err, ErrDifferent) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large file: %v", err)
	}
}

func FuzzExtract(f *testing.F) {
	small, err := qrcode.Encode("x", qrcode.Low, -2)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Add(claim(3, 3))
	f.Add([]byte("\xff\xd8\xff\xdb\x00\x43"))
	f.Add([]byte("HIDDEN BACKUP QR V1 PART 1"))
	f.Add([]byte("%PDF-1.7"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		if got, err := Extract(data); err == nil && len(got) != len(data) && checkSealed(got) != nil {
			t.Fatalf("%d bytes that are no manifest came out", len(got))
		}
	})
}
