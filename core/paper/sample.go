package paper

import (
	"github.com/makiuchi-d/gozxing"
)

// The general decoder guesses how many modules a code has from the width of a few, and goes by
// one small mark beside its three corners. At 177 modules that fails on most photographs: one
// module is half a percent, and paper is never flat. Ours are all of that size, so we need not
// guess, and the standard gives them 46 marks, of which we use each.

// marks are the modules at whose crossings the small marks of version 40 have their centres.
var marks = [...]int{6, 30, 58, 86, 114, 142, 170}

// grid says where on the picture a module of the code is.
type grid struct {
	bits  *gozxing.BitMatrix
	start point                         // the outer corner of the first module
	u, v  point                         // one module to the right, one down, if the sheet were flat and seen from above
	shift [len(marks)][len(marks)]point // how far each mark is from where it would be then, in pixels
}

// sample reads the modules of a code of ours between three corners; nil if it is none.
func sample(bits *gozxing.BitMatrix, c corners) *gozxing.BitMatrix {
	g := &grid{bits: bits, u: c.tr.minus(c.tl).over(across), v: c.bl.minus(c.tl).over(across)}
	g.start = g.off(c.tl, -3.5, -3.5)
	if !g.bend() {
		return nil
	}
	modules, _ := gozxing.NewSquareBitMatrix(codeModules)
	for y := range codeModules {
		for x := range codeModules {
			if g.black(g.place(float64(x)+.5, float64(y)+.5)) {
				modules.Set(x, y)
			}
		}
	}
	return modules
}

// off is the point x modules right and y down from p.
func (g *grid) off(p point, x, y float64) point {
	return point{p.x + x*g.u.x + y*g.v.x, p.y + x*g.u.y + y*g.v.y}
}

// bend finds each mark from those before it: what a sheet is bent by changes little from one to
// the next, be it from a fold or from being seen aslant. It is false if there are too few marks
// for a code of ours.
func (g *grid) bend() bool {
	last := len(marks) - 1
	sought, found := 0, 0
	for row := range marks {
		for column := range marks {
			if (row == 0 || row == last) && column == 0 || row == 0 && column == last {
				continue // here are the corners, from which everything is measured
			}
			s := &g.shift
			var guess point
			reach := 2.0
			switch {
			case row > 0 && column > 0:
				guess = s[row-1][column].plus(s[row][column-1]).minus(s[row-1][column-1])
			case row > 1:
				guess, reach = s[row-1][0].plus(s[row-1][0]).minus(s[row-2][0]), 3
			case column > 1:
				guess, reach = s[0][column-1].plus(s[0][column-1]).minus(s[0][column-2]), 3
			default:
				reach = 6 // nothing is known yet; a sheet whose far edge is a fifth shorter
			}
			p := g.off(g.start, float64(marks[column])+.5, float64(marks[row])+.5)
			by, ok := g.seek(p.plus(guess), reach)
			s[row][column] = guess.plus(by)
			sought++
			if ok {
				found++
			}
		}
		if 3*found < sought {
			return false
		}
	}
	// Where a corner's mark would be, three modules in from the corner, the sheet is bent by
	// about a ninth of what it is at the next ones.
	s := &g.shift
	s[0][0] = s[0][1].plus(s[1][0]).over(9)
	s[0][last] = s[0][last-1].plus(s[1][last]).over(9)
	s[last][0] = s[last-1][0].plus(s[last][1]).over(9)
	return true
}

// seek looks for a mark up to reach modules around p, and returns how far from p it is.
func (g *grid) seek(p point, reach float64) (by point, ok bool) {
	const enough = 22 // of 25 modules
	best := enough - 1
	for dy := -reach; dy <= reach; dy += .5 {
		for dx := -reach; dx <= reach; dx += .5 {
			d := g.off(point{}, dx, dy)
			if score := g.likeMark(p.plus(d)); score > best {
				best, by = score, d
			}
		}
	}
	if best < enough {
		return point{}, false
	}
	// The middle of all that fit as well.
	var sum point
	count := 0.0
	for dy := -.75; dy <= .75; dy += .125 {
		for dx := -.75; dx <= .75; dx += .125 {
			d := by.plus(g.off(point{}, dx, dy))
			switch score := g.likeMark(p.plus(d)); {
			case score > best:
				best, sum, count = score, d, 1
			case score == best:
				sum, count = sum.plus(d), count+1
			}
		}
	}
	return sum.over(count), true
}

func (g *grid) likeMark(p point) (score int) {
	for y := -2; y <= 2; y++ {
		for x := -2; x <= 2; x++ {
			white := max(x, -x, y, -y) == 1
			if g.pixel(g.off(p, float64(x), float64(y))) != white {
				score++
			}
		}
	}
	return score
}

// place is where (x, y), in modules, is on the picture: between four marks the sheet is bent by
// as much as they are, each by its nearness, and beyond the last one it goes on alike.
func (g *grid) place(x, y float64) point {
	column, fx := between(x)
	row, fy := between(y)
	a, b, c, d := g.shift[row][column], g.shift[row][column+1], g.shift[row+1][column], g.shift[row+1][column+1]
	p := g.off(g.start, x, y)
	p.x += (a.x*(1-fx)+b.x*fx)*(1-fy) + (c.x*(1-fx)+d.x*fx)*fy
	p.y += (a.y*(1-fx)+b.y*fx)*(1-fy) + (c.y*(1-fx)+d.y*fx)*fy
	return p
}

// between returns the mark before x, and how far x is on the way to the next one.
func between(x float64) (i int, fraction float64) {
	for i < len(marks)-2 && x > float64(marks[i+1])+.5 {
		i++
	}
	return i, (x - float64(marks[i]) - .5) / float64(marks[i+1]-marks[i])
}

// black takes the vote of five pixels in the middle of a module: one may be noise.
func (g *grid) black(p point) bool {
	votes := 0
	for _, d := range [...]point{{0, 0}, {.2, .2}, {-.2, .2}, {.2, -.2}, {-.2, -.2}} {
		if g.pixel(g.off(p, d.x, d.y)) {
			votes++
		}
	}
	return votes > 2
}

// pixel is white outside the picture.
func (g *grid) pixel(p point) bool {
	// Not a number fails every comparison.
	if !(p.x >= 0 && p.y >= 0 && p.x < float64(g.bits.GetWidth()) && p.y < float64(g.bits.GetHeight())) {
		return false
	}
	return g.bits.Get(int(p.x), int(p.y))
}
