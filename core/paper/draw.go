package paper

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"

	"github.com/skip2/go-qrcode"
)

const (
	// Version 40 has 177 modules on a side. It is forced, so that a reader of ours can rely on it.
	codeVersion = 40
	codeModules = 17 + 4*codeVersion

	// quiet is the white border that the standard asks for, in modules.
	quiet = 4

	tileModules = codeModules + 2*quiet
)

// code draws one text: code[y][x] is true for a black module. There is no border.
func code(text string) ([][]bool, error) {
	q, err := qrcode.NewWithForcedVersion(text, codeVersion, qrcode.Medium)
	if err != nil {
		return nil, fmt.Errorf("drawing the QR code: %w", err)
	}
	q.DisableBorder = true
	return q.Bitmap(), nil
}

// sheet is all the codes of a manifest in one picture, each with its quiet zone.
type sheet struct {
	columns, rows int
	codes         [][][]bool
}

func newSheet(sealed []byte) (*sheet, error) {
	texts, err := QRText(sealed)
	if err != nil {
		return nil, err
	}
	s := &sheet{columns: 1, rows: 1}
	for s.columns*s.rows < len(texts) {
		if s.columns <= s.rows {
			s.columns *= 2
		} else {
			s.rows *= 2
		}
	}
	for _, text := range texts {
		c, err := code(text)
		if err != nil {
			return nil, err
		}
		s.codes = append(s.codes, c)
	}
	return s, nil
}

// runs calls f for every horizontal run of black modules, in modules of the whole picture.
func (s *sheet) runs(f func(x, y, length int)) {
	for i, c := range s.codes {
		left, top := i%s.columns*tileModules+quiet, i/s.columns*tileModules+quiet
		for y, row := range c {
			for x := 0; x < len(row); x++ {
				start := x
				for x < len(row) && row[x] {
					x++
				}
				if x > start {
					f(left+start, top+y, x-start)
				}
			}
		}
	}
}

// WritePNG writes the QR codes of sealed as one picture in black and white. Each module is a
// whole number of pixels, so that print and screen show sharp edges.
func WritePNG(w io.Writer, sealed []byte) error {
	s, err := newSheet(sealed)
	if err != nil {
		return err
	}
	// 8 pixels are 300 dpi on 12 cm. Sixty-four codes of 4 pixels are 35 million.
	pixels := 8
	if len(s.codes) > 4 {
		pixels = 4
	}
	return png.Encode(w, s.picture(pixels))
}

func (s *sheet) picture(pixels int) image.Image {
	img := image.NewPaletted(image.Rect(0, 0, s.columns*tileModules*pixels, s.rows*tileModules*pixels), color.Palette{color.White, color.Black})
	s.runs(func(x, y, length int) {
		for row := y * pixels; row < (y+1)*pixels; row++ {
			line := img.Pix[row*img.Stride:]
			for i := x * pixels; i < (x+length)*pixels; i++ {
				line[i] = 1
			}
		}
	})
	return img
}

// moduleWidth is the width of a module on paper in millimetres: a code with its border is 12 cm
// wide. Telephones read 0.4 mm in good light.
const moduleWidth = 0.65

// WriteSVG writes the QR codes of sealed as one vector graphic.
func WriteSVG(w io.Writer, sealed []byte) error {
	s, err := newSheet(sealed)
	if err != nil {
		return err
	}
	width, height := s.columns*tileModules, s.rows*tileModules
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%gmm" height="%gmm" viewBox="0 0 %d %d">`+"\n",
		float64(width)*moduleWidth, float64(height)*moduleWidth, width, height)
	fmt.Fprintf(out, `<path fill="#fff" d="M0 0h%dv%dH0z"/>`+"\n", width, height)
	// Without crispEdges a viewer draws faint lines between the rows.
	fmt.Fprint(out, `<path fill="#000" shape-rendering="crispEdges" d="`)
	s.runs(func(x, y, length int) { fmt.Fprintf(out, "M%d %dh%dv1h-%dz", x, y, length, length) })
	fmt.Fprint(out, `"/>`+"\n</svg>\n")
	return out.Flush()
}
