package paper

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"
)

// raced asks whether the race detector is on. It makes work on pictures fifteen times slower,
// and nothing in this package runs beside something else.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func slow(t *testing.T) {
	t.Helper()
	if testing.Short() || raced() {
		t.Skip("it takes long, and much longer under the race detector")
	}
}

// photo is what a camera does to a sheet of paper.
type photo struct {
	turn     float64 // degrees
	tilt     float64 // how much nearer one side is than the other
	bulge    float64 // how far straight lines are bent, as part of the width
	width    int     // of the sheet on the photograph, in pixels
	margin   int     // of a dark table around it
	blur     int     // radius of a box in pixels, twice
	contrast float64 // 1 is black on white
	shade    float64 // how much darker one side is
	noise    float64
	quality  int // of JPEG
}

// take returns the photograph of a picture.
func (p photo) take(t testing.TB, sheet image.Image) []byte {
	t.Helper()
	paper := grey(sheet)
	w := p.width
	h := w * paper.Rect.Dy() / paper.Rect.Dx()
	diagonal := int(math.Hypot(float64(w), float64(h))) + 2*p.margin
	out := image.NewGray(image.Rect(0, 0, diagonal, diagonal))
	random := rand.New(rand.NewPCG(7, 7))
	sin, cos := math.Sincos(p.turn * math.Pi / 180)
	for y := range diagonal {
		for x := range diagonal {
			dx, dy := float64(x)-float64(diagonal)/2, float64(y)-float64(diagonal)/2
			// u, v: from -1 to 1 on the sheet
			u, v := (dx*cos+dy*sin)/float64(w)*2, (dy*cos-dx*sin)/float64(h)*2
			far := 1 + p.tilt*v
			u, v = u/far, v/far
			u += p.bulge * (1 - v*v)
			v += p.bulge * math.Sin(2*u)
			light := 90.0
			if u > -1 && u < 1 && v > -1 && v < 1 {
				light = bright(paper, (u+1)/2*float64(paper.Rect.Dx())-.5, (v+1)/2*float64(paper.Rect.Dy())-.5)
			}
			light = 128 + (light-128)*p.contrast
			light *= 1 - p.shade*float64(x)/float64(diagonal)
			out.Pix[y*out.Stride+x] = uint8(min(max(light, 0), 255))
		}
	}
	out = boxed(boxed(out, p.blur), p.blur)
	for i, b := range out.Pix {
		out.Pix[i] = uint8(min(max(float64(b)+random.NormFloat64()*p.noise, 0), 255))
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, out, &jpeg.Options{Quality: p.quality}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// bright is the light at a place between pixels.
func bright(g *image.Gray, x, y float64) float64 {
	x, y = min(max(x, 0), float64(g.Rect.Dx()-2)), min(max(y, 0), float64(g.Rect.Dy()-2))
	i, fx, fy := int(y)*g.Stride+int(x), x-math.Floor(x), y-math.Floor(y)
	a, b, c, d := float64(g.Pix[i]), float64(g.Pix[i+1]), float64(g.Pix[i+g.Stride]), float64(g.Pix[i+g.Stride+1])
	return (a*(1-fx)+b*fx)*(1-fy) + (c*(1-fx)+d*fx)*fy
}

func boxed(g *image.Gray, r int) *image.Gray {
	if r == 0 {
		return g
	}
	for range 2 { // rows, then by turning the picture columns
		next := image.NewGray(image.Rect(0, 0, g.Rect.Dy(), g.Rect.Dx()))
		for y := range g.Rect.Dy() {
			row := g.Pix[y*g.Stride : y*g.Stride+g.Rect.Dx()]
			for x := range row {
				from, to := max(x-r, 0), min(x+r+1, len(row))
				sum := 0
				for _, b := range row[from:to] {
					sum += int(b)
				}
				next.Pix[x*next.Stride+y] = uint8(sum / (to - from))
			}
		}
		g = next
	}
	return g
}
