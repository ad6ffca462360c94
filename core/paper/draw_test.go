package paper

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"regexp"
	"strings"
	"testing"
)

func pngOf(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := WritePNG(&buf, b); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestPNGOfEverySizeIsReadAgain(t *testing.T) {
	for _, n := range sizes {
		if n > 8<<10 && raced() {
			continue
		}
		b := sealed(n)
		picture := pngOf(t, b)
		got, err := Extract(picture)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes come back as %d: %v", n, len(got), err)
		}
		config, err := png.DecodeConfig(bytes.NewReader(picture))
		if err != nil || config.Width*config.Height > maxPixels || len(picture) > maxFile {
			t.Errorf("%d bytes: %d by %d pixels, %d bytes of PNG, more than we read: %v", n, config.Width, config.Height, len(picture), err)
		}
	}
}

// Some bytes take fewer bits in a QR code than others; the code must not get another size.
func TestCodesAreAlwaysOfOneSize(t *testing.T) {
	slow(t)
	for name, b := range map[string][]byte{
		"zeros": make([]byte, 2048), "ones": bytes.Repeat([]byte{0xff}, 2048),
		// In turn eleven figures and a letter: changing the mode to and fro is what costs most.
		"in turn": bytes.Repeat([]byte{0x08, 0x42, 0x10, 0x84, 0x21, 0x08, 0x42, 0x1f}, 256), "random": sealed(2048),
	} {
		for _, text := range textsOf(t, b) {
			c, err := code(text)
			if err != nil || len(c) != codeModules {
				t.Errorf("%s: %d modules: %v", name, len(c), err)
			}
		}
		if got, err := Extract(pngOf(t, b)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQuietZoneIsWhite(t *testing.T) {
	img, err := png.Decode(bytes.NewReader(pngOf(t, sealed(4096))))
	if err != nil {
		t.Fatal(err)
	}
	g := grey(img)
	border := quiet * 8
	if g.Rect.Dx() != 2*tileModules*8 || g.Rect.Dy() != tileModules*8 {
		t.Fatalf("%v", g.Rect)
	}
	for y := range g.Rect.Dy() {
		for x := range g.Rect.Dx() {
			inTile := x % (tileModules * 8)
			edge := inTile < border || inTile >= tileModules*8-border || y < border || y >= tileModules*8-border
			if v := g.GrayAt(x, y).Y; edge && v != 255 || v != 0 && v != 255 {
				t.Fatalf("%d, %d is %d", x, y, v)
			}
		}
	}
}

// drawn rasterises the rectangles of an SVG of ours.
func drawn(t testing.TB, svg string, pixels int) image.Image {
	t.Helper()
	var width, height int
	at := strings.Index(svg, `viewBox="0 0 `)
	if _, err := fmt.Sscanf(svg[at:], `viewBox="0 0 %d %d"`, &width, &height); err != nil {
		t.Fatal(err)
	}
	img := image.NewPaletted(image.Rect(0, 0, width*pixels, height*pixels), color.Palette{color.White, color.Black})
	for _, run := range regexp.MustCompile(`M\d+ \d+h\d+v1h-\d+z`).FindAllString(svg, -1) {
		var x, y, length, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%dz", &x, &y, &length, &back); err != nil || back != length {
			t.Fatalf("%q: %v", run, err)
		}
		for py := y * pixels; py < (y+1)*pixels; py++ {
			for px := x * pixels; px < (x+length)*pixels; px++ {
				img.SetColorIndex(px, py, 1)
			}
		}
	}
	return img
}

func TestSVGIsReadAgain(t *testing.T) {
	for _, n := range sizes[:2] {
		b := sealed(n)
		var svg bytes.Buffer
		if err := WriteSVG(&svg, b); err != nil {
			t.Fatal(err)
		}
		var picture bytes.Buffer
		if err := png.Encode(&picture, drawn(t, svg.String(), 3)); err != nil {
			t.Fatal(err)
		}
		if got, err := Extract(picture.Bytes()); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
