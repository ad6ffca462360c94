package paper

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg"
	_ "image/png"
)

// maxPixels bounds a picture before it is decoded: a telephone's camera makes 12 to 50 million,
// and a small file can claim any number.
const maxPixels = 64 << 20

// isPicture tells by the first bytes whether data is a picture that can be read.
func isPicture(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) || bytes.HasPrefix(data, []byte("\xff\xd8\xff"))
}

// foreignKind names a kind of file in which people send pictures and which is not read here.
func foreignKind(data []byte) string {
	has := func(offset int, magic string) bool {
		return len(data) >= offset+len(magic) && string(data[offset:offset+len(magic)]) == magic
	}
	switch {
	case has(0, "%PDF-"):
		return "PDF"
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return "GIF"
	case has(0, "RIFF") && has(8, "WEBP"):
		return "WebP"
	case has(4, "ftypheic"), has(4, "ftypheix"), has(4, "ftypmif1"), has(4, "ftypmsf1"):
		return "HEIC"
	case has(4, "ftypavif"):
		return "AVIF"
	case has(0, "II*\x00\x08\x00\x00\x00"), has(0, "MM\x00*\x00\x00\x00\x08"):
		return "TIFF"
	case bytes.Contains(data[:min(len(data), 512)], []byte("<svg")):
		return "SVG"
	}
	return ""
}

// decodePicture returns the picture in shades of grey, with white behind what is transparent.
func decodePicture(data []byte) (g *image.Gray, err error) {
	// The decoders are the standard library's; what they do on hostile input is still their word.
	defer func() {
		if recover() != nil {
			g, err = nil, fmt.Errorf("%w: it is broken", ErrPicture)
		}
	}()
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPicture, err)
	}
	if config.Width <= 0 || config.Height <= 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrPicture)
	}
	if config.Width > maxPixels/config.Height {
		return nil, fmt.Errorf("%w: the picture has %d by %d pixels", ErrTooLarge, config.Width, config.Height)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPicture, err)
	}
	return grey(img), nil
}

func grey(img image.Image) *image.Gray {
	from := img.Bounds()
	g := image.NewGray(image.Rect(0, 0, from.Dx(), from.Dy()))
	draw.Draw(g, g.Rect, image.White, image.Point{}, draw.Src)
	switch img := img.(type) { // the two usual ones, quickly
	case *image.YCbCr:
		for y := range g.Rect.Dy() {
			start := img.YOffset(from.Min.X, from.Min.Y+y)
			copy(g.Pix[y*g.Stride:(y+1)*g.Stride], img.Y[start:])
		}
		return g
	case *image.Paletted:
		shades := make([]uint8, 256)
		for i, c := range img.Palette {
			shades[i] = onWhite(c)
		}
		for y := range g.Rect.Dy() {
			start := img.PixOffset(from.Min.X, from.Min.Y+y)
			for x, index := range img.Pix[start : start+g.Rect.Dx()] {
				g.Pix[y*g.Stride+x] = shades[index]
			}
		}
		return g
	}
	draw.Draw(g, g.Rect, img, from.Min, draw.Over)
	return g
}

// onWhite is the shade of a colour with white behind it.
func onWhite(c color.Color) uint8 {
	r, g, b, a := c.RGBA()
	white := 0xffff - a
	return color.GrayModel.Convert(color.RGBA64{uint16(r + white), uint16(g + white), uint16(b + white), 0xffff}).(color.Gray).Y
}

// fit returns the area of g, scaled down so that its longer side is at most side. A pixel of the
// result is the mean of those it stands for.
func fit(g *image.Gray, area image.Rectangle, side int) *image.Gray {
	w, h := area.Dx(), area.Dy()
	long := max(w, h)
	if long > side {
		w, h = max(w*side/long, 1), max(h*side/long, 1)
	}
	out := image.NewGray(image.Rect(0, 0, w, h))
	columns := make([]int, w+1)
	for x := range columns {
		columns[x] = area.Min.X + x*area.Dx()/w
	}
	for y := range h {
		top, bottom := area.Min.Y+y*area.Dy()/h, area.Min.Y+(y+1)*area.Dy()/h
		for x := range w {
			sum := 0
			for row := top; row < bottom; row++ {
				for _, b := range g.Pix[row*g.Stride+columns[x] : row*g.Stride+columns[x+1]] {
					sum += int(b)
				}
			}
			out.Pix[y*out.Stride+x] = uint8(sum / ((bottom - top) * (columns[x+1] - columns[x])))
		}
	}
	return out
}
