package paper

import "image"

const (
	// cells is the number of cells along the longer side of a picture that is cut up. The gap
	// between two of sixty-four codes has five; within a code there is none, for no row of
	// modules is white.
	cells = 1000

	maxAreas = 200
)

// areas cuts a scan, a screenshot or a picture of ours along its white gaps, and returns the
// areas that may hold one code. On a photograph it finds nothing of use, and does no harm.
func areas(g *image.Gray) []image.Rectangle {
	unit := max(1, (max(g.Rect.Dx(), g.Rect.Dy())+cells-1)/cells)
	c := darkCells(g, unit)
	var found []image.Rectangle
	c.cut(image.Rect(0, 0, c.width, c.height), 0, func(r image.Rectangle) {
		// A border of two cells: what touches the edge is harder to find.
		r = image.Rectangle{r.Min.Mul(unit), r.Max.Mul(unit)}.Inset(-2 * unit).Intersect(g.Rect)
		w, h := r.Dx(), r.Dy()
		if len(found) < maxAreas && min(w, h) >= smallest && 2*min(w, h) > max(w, h) && r != g.Rect {
			found = append(found, r)
		}
	})
	return found
}

// cellMap says which cells of a picture have a dark pixel.
type cellMap struct {
	width, height int
	dark          []bool
}

func darkCells(g *image.Gray, unit int) *cellMap {
	c := &cellMap{width: (g.Rect.Dx() + unit - 1) / unit, height: (g.Rect.Dy() + unit - 1) / unit}
	c.dark = make([]bool, c.width*c.height)
	for y := range g.Rect.Dy() {
		row := c.dark[y/unit*c.width:]
		for x, b := range g.Pix[y*g.Stride : y*g.Stride+g.Rect.Dx()] {
			if b < 128 {
				row[x/unit] = true
			}
		}
	}
	return c
}

// cut calls f for each area of r that has no white gap from side to side.
func (c *cellMap) cut(r image.Rectangle, depth int, f func(image.Rectangle)) {
	rows := gaps(r.Min.Y, r.Max.Y, func(y int) bool { return c.any(image.Rect(r.Min.X, y, r.Max.X, y+1)) })
	if len(rows) == 0 || depth > 12 {
		return
	}
	columns := gaps(r.Min.X, r.Max.X, func(x int) bool { return c.any(image.Rect(x, r.Min.Y, x+1, r.Max.Y)) })
	if len(rows) == 1 && len(columns) == 1 {
		trimmed := image.Rect(columns[0][0], rows[0][0], columns[0][1], rows[0][1])
		if trimmed == r {
			f(r)
			return
		}
	}
	for _, row := range rows {
		for _, column := range columns {
			c.cut(image.Rect(column[0], row[0], column[1], row[1]), depth+1, f)
		}
	}
}

func (c *cellMap) any(r image.Rectangle) bool {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for _, dark := range c.dark[y*c.width+r.Min.X : y*c.width+r.Max.X] {
			if dark {
				return true
			}
		}
	}
	return false
}

// gaps returns the spans from one white gap to the next.
func gaps(from, to int, dark func(int) bool) (spans [][2]int) {
	for i := from; i < to; i++ {
		if !dark(i) {
			continue
		}
		start := i
		for i < to && dark(i) {
			i++
		}
		spans = append(spans, [2]int{start, i})
	}
	return spans
}
