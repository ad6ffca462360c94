package paper

import (
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// font is a type face at a size in points. The three of our own are among those that every
// viewer of PDF brings, for the letters of Western Europe.
type font struct {
	family, style string
	size          float64
	unicode       bool // it takes UTF-8, the others Windows-1252
}

func plain(size float64) font { return font{family: "Helvetica", size: size} }
func bold(size float64) font  { return font{family: "Helvetica", style: "B", size: size} }
func mono(size float64) font  { return font{family: "Courier", style: "B", size: size} }

// bold7mono lets 63 letters of the armour stand in half the width of the sheet.
var bold7mono = mono(6.8)

// leading is the distance from line to line.
func (f font) leading() float64 { return f.size * 0.44 }

// lines writes text from the top down, folded at width, and goes below it.
func (p *page) lines(f font, x, width float64, text string) {
	p.use(f)
	for _, line := range fold(text, func(s string) bool { return p.pdf.GetStringWidth(f.encode(s)) <= width }) {
		p.room(f.leading())
		shift := 0.0
		p.use(f) // a new page has the footer's
		if f.unicode {
			var rightToLeft bool
			if line, rightToLeft = visual(line); rightToLeft {
				shift = width - p.pdf.GetStringWidth(line)
			}
		}
		p.draw(f, x+shift, line)
		p.y += f.leading()
	}
}

func (p *page) use(f font) { p.pdf.SetFont(f.family, f.style, f.size) }

// draw writes one line; p.y is its upper edge.
func (p *page) draw(f font, x float64, line string) {
	p.use(f)
	p.pdf.Text(x, p.y+f.size*0.32, f.encode(line))
}

func (f font) encode(s string) string {
	if f.unicode {
		return s
	}
	out, _ := latin(s)
	return out
}

// latin is s in Windows-1252, and whether that has all its letters.
func latin(s string) (string, bool) {
	var out []byte
	for _, r := range s {
		b, ok := charmap.Windows1252.EncodeRune(r)
		if !ok {
			return "", false
		}
		out = append(out, b)
	}
	return string(out), true
}

// fold breaks text into lines that fit: between words where it can, within a word where it must.
func fold(text string, fits func(string) bool) (lines []string) {
	for _, paragraph := range strings.Split(text, "\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if joined := strings.TrimSpace(line + " " + word); fits(joined) {
				line = joined
				continue
			}
			if line != "" {
				lines = append(lines, line)
			}
			for line = word; !fits(line); {
				head := 0
				for i := range line {
					if i > 0 && !fits(line[:i]) {
						break
					}
					head = i
				}
				if head == 0 {
					break // not even one letter
				}
				lines, line = append(lines, line[:head]), line[head:]
			}
		}
		lines = append(lines, line)
	}
	return lines
}
