package paper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
)

// fontFile has the letters of most scripts that are written with letters; fonts-dejavu-core
// brings it, and Tails has that.
var fontFile = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

const ownerSize = 11

// ownerFont returns a font that has all letters of the owner's text: one of the viewer's if that
// will do, otherwise DejaVu Sans, whose letters go into the PDF. ErrLetters names what is missing.
func (p *page) ownerFont(text string) (font, error) {
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return font{}, fmt.Errorf("%w: a control character", ErrLetters)
		}
	}
	if _, ok := latin(strings.ReplaceAll(text, "\n", " ")); ok {
		return plain(ownerSize), nil
	}
	ttf, err := os.ReadFile(fontFile)
	if errors.Is(err, fs.ErrNotExist) {
		return font{}, fmt.Errorf("%w without the font %s, which the package fonts-dejavu-core brings", ErrLetters, fontFile)
	}
	if err != nil {
		return font{}, fmt.Errorf("reading the font: %w", err)
	}
	has, err := glyphs(ttf)
	if err != nil {
		return font{}, err
	}
	shown, _ := visual(text)
	for _, r := range shown {
		if !unicode.IsSpace(r) && !has(r) {
			return font{}, fmt.Errorf("%w: DejaVu Sans has no “%c” (%U)", ErrLetters, r, r)
		}
	}
	p.pdf.AddUTF8FontFromBytes("owner", "", ttf)
	return font{family: "owner", size: ownerSize, unicode: true}, nil
}

// glyphs reads which letters of the Basic Multilingual Plane a TrueType font has: its cmap table
// of format 4. A font without a letter would print a box.
func glyphs(ttf []byte) (has func(rune) bool, err error) {
	defer func() {
		if recover() != nil { // an offset that leads out of the file
			has, err = nil, fmt.Errorf("%w: the font %s is damaged", ErrLetters, fontFile)
		}
	}()
	u16 := func(i int) int { return int(binary.BigEndian.Uint16(ttf[i:])) }
	u32 := func(i int) int { return int(binary.BigEndian.Uint32(ttf[i:])) }
	var table int
	for i := range u16(4) {
		if record := 12 + 16*i; string(ttf[record:record+4]) == "cmap" {
			table = u32(record + 8)
		}
	}
	covered := make(map[rune]bool)
	for i := range u16(table + 2) {
		record := table + 4 + 8*i
		sub := table + u32(record+4)
		if u16(record) != 3 || u16(record+2) != 1 || u16(sub) != 4 {
			continue
		}
		segments := u16(sub+6) / 2
		ends, starts := sub+14, sub+16+2*segments
		deltas, offsets := starts+2*segments, starts+4*segments
		for s := range segments {
			start, end, delta, offset := u16(starts+2*s), u16(ends+2*s), u16(deltas+2*s), u16(offsets+2*s)
			for r := start; r <= end && r < 0xffff; r++ {
				glyph := r
				if offset != 0 {
					if glyph = u16(offsets + 2*s + offset + 2*(r-start)); glyph == 0 {
						continue
					}
				}
				covered[rune(r)] = (glyph+delta)&0xffff != 0
			}
		}
	}
	return func(r rune) bool { return covered[r] }, nil
}
