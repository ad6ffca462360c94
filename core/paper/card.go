package paper

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"strings"
	"time"

	"github.com/go-pdf/fpdf"

	"hiddenbackup/core/manifest"
)

// Card is a sheet of paper for a holder. It says nothing of whose backup it is or what it is
// called; what the owner writes in To is hers to weigh.
type Card struct {
	Sealed []byte
	// To says whom to give the card to and on what sign. Empty leaves lines to write on.
	To string
	// Made is the day that is printed, of which the hour is not used; zero prints none.
	Made time.Time
}

// The sheet is A4 with margins that every printer leaves. All lengths are in millimetres, type
// sizes in points.
const (
	pageWidth  = 210.0
	margin     = 12.0
	bottom     = 282.0 // the footer stands below
	textWidth  = pageWidth - 2*margin
	codeWidth  = 108.0 // 0.58 mm a module
	laterWidth = 122.0 // two below each other fill a page
	columnGap  = 4.0
	columnWide = (textWidth - columnGap) / 2
)

const (
	aboutCard = "This sheet is the sealed manifest of a backup: with its passphrase it brings the backup back. " +
		"It is not the backup itself, and nobody can read it without the passphrase, which is written nowhere. Keep it safe; do not post it, and show it to nobody but the person named below."
	checkComputer = "On a computer, without any passphrase. FILE is a photograph of the code, the text it gives to a scanner, or the lines below:"
	checkPhone    = "By telephone: the four words are the same as on the owner's side. That tells which copy this is, not that the code and the lines are undamaged."
)

// WriteCard writes the card as PDF: one page for a manifest of the usual size and a few lines of
// the owner's, more if need be. Nothing in the file tells the time, the machine or the user.
func WriteCard(w io.Writer, c Card) error {
	texts, err := QRText(c.Sealed)
	if err != nil {
		return err
	}
	words, err := manifest.Fingerprint(c.Sealed)
	if err != nil {
		return err
	}
	armour, err := manifest.Armour(c.Sealed)
	if err != nil {
		return err
	}
	p := newPage(c.Made, strings.Join(words[:], " "))
	owner, err := p.ownerFont(c.To)
	if err != nil {
		return err
	}
	p.head(texts[0], words, c.Made, len(texts))
	p.recipient(c.To, owner)
	p.codes(texts)
	p.armour(strings.Split(strings.TrimSpace(string(armour)), "\n"))
	if p.err != nil {
		return fmt.Errorf("drawing the card: %w", p.err)
	}
	if err := p.pdf.Output(w); err != nil {
		return fmt.Errorf("writing the card: %w", err)
	}
	return nil
}

// page is the sheet at hand and how far down it is filled.
type page struct {
	pdf *fpdf.Fpdf
	y   float64
	err error
}

func newPage(made time.Time, words string) *page {
	pdf := fpdf.New("P", "mm", "A4", "")
	// A PDF has to have a date, and would tell the second.
	day := time.Date(made.Year(), made.Month(), made.Day(), 0, 0, 0, 0, time.UTC)
	if made.IsZero() {
		day = time.Unix(0, 0).UTC()
	}
	pdf.SetCreationDate(day)
	pdf.SetModificationDate(day)
	pdf.SetProducer("", false)
	pdf.SetCatalogSort(true)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetMargins(margin, margin, margin)
	pdf.AliasNbPages("{pages}")
	pdf.SetFooterFunc(func() {
		pdf.SetFont("Helvetica", "", 8)
		pdf.SetTextColor(90, 90, 90)
		pdf.Text(margin, 290, words)
		pages := fmt.Sprintf("%d / {pages}", pdf.PageNo())
		pdf.Text(pageWidth-margin-pdf.GetStringWidth(fmt.Sprintf("%d / %d", pdf.PageNo(), pdf.PageNo())), 290, pages)
		pdf.SetTextColor(0, 0, 0)
	})
	p := &page{pdf: pdf}
	p.next()
	return p
}

func (p *page) next() {
	p.pdf.AddPage()
	p.y = margin
}

// room begins a new page unless so much is left on this one.
func (p *page) room(height float64) {
	if p.y+height > bottom {
		p.next()
	}
}

// head is the upper half of the first page: what this is, the code, the words, how to check.
func (p *page) head(text string, words [4]string, made time.Time, parts int) {
	p.lines(bold(16), margin, textWidth, "Sealed manifest")
	p.y++
	p.lines(plain(9), margin, textWidth, aboutCard)
	p.y += 2
	top := p.y
	p.code(text, margin, codeWidth)
	bottomOfCode := p.y

	const left = margin + codeWidth + columnGap
	const width = textWidth - codeWidth - columnGap
	p.y = top + 1.5
	p.lines(bold(9), left, width, "Its four words")
	for _, word := range words {
		p.lines(bold(16), left, width, word)
	}
	p.y += 2
	if !made.IsZero() {
		p.lines(plain(9), left, width, "This sheet was made on "+made.Format("2006-01-02")+".")
		p.y += 2
	}
	if parts > 1 {
		p.lines(plain(9), left, width, fmt.Sprintf("The code beside is number 1 of %d. All of them are needed: scan each, and put their texts into one file.", parts))
		p.y += 2
	}
	p.lines(bold(9), left, width, "To check that it is whole")
	p.lines(plain(9), left, width, checkComputer)
	p.y++
	p.lines(mono(7.5), left, width, `hidden-backup manifest check FILE --words "`+strings.Join(words[:], " ")+`"`)
	p.y += 2
	p.lines(plain(9), left, width, checkPhone)
	p.y = max(p.y, bottomOfCode) + 3
}

// code draws one QR code, its border included, and goes below it.
func (p *page) code(text string, x, width float64) {
	c, err := code(text)
	if err != nil {
		p.err = err
		return
	}
	var buf bytes.Buffer
	one := sheet{columns: 1, rows: 1, codes: [][][]bool{c}}
	if err := png.Encode(&buf, one.picture(8)); err != nil {
		p.err = err
		return
	}
	png := fpdf.ImageOptions{ImageType: "PNG"}
	name := text[:64] // up to the set
	p.pdf.RegisterImageOptionsReader(name, png, &buf)
	p.pdf.ImageOptions(name, x, p.y, width, width, false, png, 0, "")
	p.pdf.SetDrawColor(160, 160, 160)
	p.pdf.SetLineWidth(0.2)
	p.pdf.Rect(x, p.y, width, width, "D")
	p.y += width
}

// recipient is what the owner says, over several pages if it is long.
func (p *page) recipient(to string, f font) {
	p.room(22)
	p.lines(bold(11), margin, textWidth, "Give it only to this person, and only on this sign")
	p.y++
	if strings.TrimSpace(to) == "" {
		p.pdf.SetDrawColor(160, 160, 160)
		for range 2 {
			p.y += 8
			p.pdf.Line(margin, p.y, margin+textWidth, p.y)
		}
		p.y += 4
		return
	}
	p.lines(f, margin, textWidth, to)
	p.y += 4
}

// codes are those after the first, two on a page.
func (p *page) codes(texts []string) {
	for i, text := range texts {
		if i == 0 {
			continue
		}
		p.room(laterWidth + 8)
		p.lines(bold(9), margin, textWidth, fmt.Sprintf("Code %d of %d", i+1, len(texts)))
		p.y++
		p.code(text, margin, laterWidth)
		p.y += 5
	}
}

// armour is the text form in two columns: down the left one, then down the right one.
func (p *page) armour(lines []string) {
	const step = 2.7
	head := func() {
		p.lines(bold(9), margin, textWidth, "The same as text, to be typed or scanned if the code cannot be read")
		p.y++
	}
	// It is better whole on one sheet than begun on this one.
	needed := float64((len(lines)+1)/2)*step + 7
	if p.y+needed > bottom && (needed <= bottom-margin || p.y+40 > bottom) {
		p.next()
	}
	head()
	for len(lines) > 0 {
		rows := min(int((bottom-p.y)/step), (len(lines)+1)/2)
		if rows < 1 {
			p.next()
			continue
		}
		top := p.y
		for column := range 2 {
			p.y = top
			for _, line := range lines[:min(rows, len(lines))] {
				p.draw(bold7mono, margin+float64(column)*(columnWide+columnGap), line)
				p.y += step
			}
			lines = lines[min(rows, len(lines)):]
		}
		p.y = top + float64(rows)*step
	}
}
