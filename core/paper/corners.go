package paper

import (
	"cmp"
	"math"
	"slices"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

// across is the distance between the middles of two corners of our codes, in modules.
const across = codeModules - 7

type point struct{ x, y float64 }

func at(p gozxing.ResultPoint) point { return point{p.GetX(), p.GetY()} }

func (p point) plus(q point) point    { return point{p.x + q.x, p.y + q.y} }
func (p point) minus(q point) point   { return point{p.x - q.x, p.y - q.y} }
func (p point) over(n float64) point  { return point{p.x / n, p.y / n} }
func (p point) length() float64       { return math.Hypot(p.x, p.y) }
func (p point) cross(q point) float64 { return p.x*q.y - p.y*q.x }
func (p point) dot(q point) float64   { return p.x*q.x + p.y*q.y }

// corners are the middles of the three squares of one code: top left, top right, bottom left.
type corners struct{ tl, tr, bl point }

// cornersOf returns the threes that may belong to a code of ours, the likeliest first. It allows
// for a sheet that is seen from far aside.
func cornersOf(centres []*detector.FinderPattern) []corners {
	type candidate struct {
		corners
		odd float64
	}
	var found []candidate
	for _, corner := range centres {
		tl := at(corner)
		var ends []point
		for _, end := range centres {
			size := (corner.GetEstimatedModuleSize() + end.GetEstimatedModuleSize()) / 2
			// A square that stands on its tip looks 1.4 times as wide as it is.
			arm := at(end).minus(tl).length()
			if n := arm / size; n > across*0.55 && n < across*1.25 && arm >= across {
				ends = append(ends, at(end))
			}
		}
		for i, tr := range ends {
			for _, bl := range ends[i+1:] {
				a, b := tr.minus(tl), bl.minus(tl)
				odd := math.Abs(math.Log(a.length()/b.length())) + math.Abs(a.dot(b)/(a.length()*b.length()))
				switch {
				case odd > 0.6:
				case a.cross(b) > 0:
					found = append(found, candidate{corners{tl, tr, bl}, odd})
				default:
					found = append(found, candidate{corners{tl, bl, tr}, odd})
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.odd, b.odd) })
	found = found[:min(len(found), maxCorners)]
	out := make([]corners, len(found))
	for i, c := range found {
		out[i] = c.corners
	}
	return out
}
