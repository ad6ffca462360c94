package paper

import (
	"image"
	"slices"
	"time"

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode/detector"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

const (
	// patience ends the search in a picture when it has found nothing new for so long. Most take
	// less than a second; this much takes one that has been made to be slow.
	patience = 15 * time.Second

	// longest ends it in any case. Sixty-four codes take three seconds on a machine of today.
	longest = time.Minute

	// maxCentres is how many candidates for a code's corners are tried in one picture: the work
	// grows with their third power. A page full of our codes has about 200.
	maxCentres = 400

	// maxCorners is how many threes of them are tried.
	maxCorners = 100

	// smallest is the side of the smallest area, in pixels, that can hold a code.
	smallest = 42
)

// sides are the sizes, in pixels of the longer side, at which a picture is looked at. Scaling
// down takes away noise; a module then still has some pixels.
var sides = []int{1600, 2400, 1000, 3600}

// search collects the texts of QR codes.
type search struct {
	texts  []string
	enough func(texts []string) bool
	until  time.Time // patience, from the last code found
	end    time.Time
}

// findCodes returns the texts of the QR codes in a picture. It stops when enough says so, when
// everything was tried, or when patience is over.
func findCodes(g *image.Gray, enough func(texts []string) bool) []string {
	now := time.Now()
	s := &search{enough: enough, until: now.Add(patience), end: now.Add(longest)}
	for _, area := range areas(g) {
		if s.over() {
			return s.texts
		}
		s.look(fit(g, area, sides[0]), 1)
	}
	long := max(g.Rect.Dx(), g.Rect.Dy())
	for i, side := range sides {
		if s.over() {
			return s.texts
		}
		if side <= long || i == 0 || !slices.ContainsFunc(sides[:i], func(s int) bool { return s >= long }) {
			s.look(fit(g, g.Rect, side), 0)
		}
	}
	return s.texts
}

func (s *search) over() bool {
	return s.late() || len(s.texts) > 0 && s.enough(s.texts)
}

func (s *search) late() bool {
	now := time.Now()
	return now.After(s.until) || now.After(s.end)
}

// tolerant runs f. The decoder is another's work on hostile input, so a panic in it means no
// more than that it found nothing.
func tolerant(f func()) {
	defer func() { _ = recover() }()
	f()
}

// look adds the texts of the codes in one picture, and stops looking when it has found most, if
// that is not 0.
func (s *search) look(g *image.Gray, most int) {
	if g.Rect.Dx() < smallest || g.Rect.Dy() < smallest {
		return
	}
	w, h := g.Rect.Dx(), g.Rect.Dy()
	source, err := gozxing.NewPlanarYUVLuminanceSource(g.Pix, w, h, 0, 0, w, h, false)
	if err != nil {
		return
	}
	before := len(s.texts)
	for _, b := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(source), gozxing.NewGlobalHistgramBinarizer(source)} {
		if s.over() || most > 0 && len(s.texts)-before >= most {
			return
		}
		tolerant(func() { s.lookAt(b) })
	}
}

func (s *search) lookAt(b gozxing.Binarizer) {
	bits, err := b.GetBlackMatrix()
	if err != nil {
		return
	}
	centres, others := s.centres(bits)
	used := map[point]bool{} // as the corner of a code that was read
	for _, c := range cornersOf(centres) {
		if s.over() {
			return
		}
		if !used[c.tl] && !used[c.tr] && !used[c.bl] && s.decode(sample(bits, c)) {
			used[c.tl], used[c.tr], used[c.bl] = true, true, true
		}
	}
	// Not one of ours, or a mirrored one: the decoder's own way.
	for _, o := range others[:min(len(others), maxCorners)] {
		if s.over() || used[at(o.GetTopLeft())] {
			continue
		}
		if found, err := detector.NewDetector(bits).ProcessFinderPatternInfo(o); err == nil {
			s.decode(found.GetBits())
		}
	}
}

// centres returns where the three squares in the corners of codes may be, and which three of
// them the decoder takes for a code.
func (s *search) centres(bits *gozxing.BitMatrix) ([]*detector.FinderPattern, []*detector.FinderPatternInfo) {
	seen := 0
	finder := multi.NewMultiFinderPatternFinder(bits, func(gozxing.ResultPoint) {
		if seen++; seen > maxCentres || s.late() {
			panic("too much to look at")
		}
	})
	var others []*detector.FinderPatternInfo
	tolerant(func() {
		others, _ = finder.FindMulti(map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	})
	return finder.GetPossibleCenters(), others
}

func (s *search) decode(modules *gozxing.BitMatrix) bool {
	if modules == nil {
		return false
	}
	result, err := decoder.NewDecoder().Decode(modules, nil)
	if err != nil {
		return false
	}
	if text := result.GetText(); !slices.Contains(s.texts, text) {
		s.texts = append(s.texts, text)
		s.until = time.Now().Add(patience)
	}
	return true
}
