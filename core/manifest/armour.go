package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const (
	armourVersion = 1
	armourBegin   = "BEGIN HIDDEN BACKUP MANIFEST"
	armourEnd     = "END HIDDEN BACKUP MANIFEST"

	// 30 bytes are six groups of eight letters; with number and check a line has 62 or 63
	// characters, so it survives mail programs that quote, and those that fold at 72.
	lineBytes = 30
	maxLines  = (largestSealed + lineBytes - 1) / lineBytes

	lineLabel  = "hidden-backup armour v1 line"
	totalLabel = "hidden-backup armour v1 total"
)

// crockford is base32 without I, L, O and U: nothing in it looks like another thing when it is
// read aloud, printed badly or typed, and case does not matter. Base64 would be a sixth shorter
// and none of that.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// ArmourProblem is what is wrong with an armoured text.
type ArmourProblem int

// The problems.
const (
	LineDamaged   ArmourProblem = iota + 1 // the line is there and its check does not fit
	LineMissing                            // no line has this number
	HeaderDamaged                          // the first line is there but cannot be read
	TotalDamaged                           // every line fits, the whole does not
	EndMissing                             // the last line is missing or cannot be read
)

// ArmourError locates damage, so that a holder can read one line again instead of all.
// It is an ErrArmour for errors.Is.
type ArmourError struct {
	Problem ArmourProblem
	Line    int   // the first bad line, by the number printed in front of it; 0 if none
	Others  []int // further bad lines
}

func (e *ArmourError) Error() string {
	switch e.Problem {
	case LineDamaged, LineMissing:
		state := "damaged"
		if e.Problem == LineMissing {
			state = "missing"
		}
		if len(e.Others) == 0 {
			return fmt.Sprintf("line %d of the armoured manifest is %s", e.Line, state)
		}
		if len(e.Others) == 1 {
			return fmt.Sprintf("line %d of the armoured manifest is %s, and another is missing or damaged", e.Line, state)
		}
		return fmt.Sprintf("line %d of the armoured manifest is %s, and %d more are missing or damaged", e.Line, state, len(e.Others))
	case HeaderDamaged:
		return "the first line of the armoured manifest is damaged"
	case EndMissing:
		return "the last line of the armoured manifest is missing or damaged"
	}
	return "the lines of the armoured manifest do not belong together"
}

// Unwrap makes an ArmourError an ErrArmour.
func (e *ArmourError) Unwrap() error { return ErrArmour }

// Armour returns sealed bytes as text for e-mail, chat, paper and telephone.
func Armour(sealed []byte) ([]byte, error) {
	if !sealedSize(len(sealed)) {
		return nil, notSealed(sealed)
	}
	var out bytes.Buffer
	count := (len(sealed) + lineBytes - 1) / lineBytes
	fmt.Fprintf(&out, "%s V%d LINES %d\n", armourBegin, armourVersion, count)
	number := 0
	for chunk := range slices.Chunk(sealed, lineBytes) {
		number++
		fmt.Fprintf(&out, "%03d %s %s\n", number, grouped(crockford.EncodeToString(chunk)), lineCheck(number, chunk))
	}
	fmt.Fprintf(&out, "%s V%d CHECK %s\n", armourEnd, armourVersion, grouped(totalCheck(sealed)))
	return out.Bytes(), nil
}

// CheckArmour reports whether the armoured text is whole. It needs no passphrase; a fault is
// an *ArmourError.
func CheckArmour(text []byte) error {
	_, err := Dearmour(text)
	return err
}

// Dearmour returns the sealed bytes inside an armoured text. It tolerates what mail, chat and
// hands do to text: words before and after, quoting, blank and foreign lines, other line
// breaks, small letters, O for 0, I or L for 1, lines in another order or given twice.
func Dearmour(text []byte) ([]byte, error) {
	if len(text) > maxInput {
		return nil, fmt.Errorf("%w: it is larger than 1 MiB", ErrNotManifest)
	}
	lines := armourLines(text)
	var first error
	for i, line := range lines {
		if !strings.HasPrefix(line, armourBegin) {
			continue
		}
		sealed, err := dearmourBlock(line, lines[i+1:])
		if err == nil {
			return sealed, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = fmt.Errorf("%w: it has no line that begins an armoured manifest", ErrNotManifest)
	}
	return nil, first
}

// IsArmour tells an armoured text, whole or not, from sealed bytes: it has the header at the
// beginning of some line.
func IsArmour(data []byte) bool {
	// A sealed file is binary; do not walk it as text.
	head := data[:min(len(data), 64)]
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	for _, line := range armourLines(data) {
		if strings.HasPrefix(line, armourBegin) {
			return true
		}
	}
	return false
}

// armourLines takes away what does not belong to a line: quoting, white space of any kind,
// marks without width, case.
func armourLines(text []byte) []string {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	var out []string
	for line := range bytes.Lines(text) {
		s := strings.Map(func(r rune) rune {
			switch {
			case unicode.IsSpace(r):
				return ' '
			case unicode.Is(unicode.Cf, r):
				return -1
			}
			return r
		}, string(line))
		s = strings.TrimLeft(s, " >|*")
		out = append(out, strings.ToUpper(strings.Join(strings.Fields(s), " ")))
	}
	return out
}

// dearmourBlock reads the lines after one header up to its end, the next header, or the end of text.
func dearmourBlock(header string, lines []string) ([]byte, error) {
	count, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	good := make([][]byte, count)
	damaged := make(map[int]bool)
	total := ""
	for _, line := range lines {
		if strings.HasPrefix(line, armourBegin) {
			break
		}
		if rest, ok := strings.CutPrefix(line, armourEnd); ok {
			if _, check, ok := strings.Cut(rest, " CHECK "); ok {
				total = forgive(check)
			}
			break
		}
		number, chunk, ok := parseLine(line)
		if number < 1 || number > count {
			continue // not one of ours: a date, a page number
		}
		if ok && (number == count || len(chunk) == lineBytes) {
			good[number-1] = chunk
		} else {
			damaged[number] = true
		}
	}
	if bad := badLines(good, damaged); bad != nil {
		return nil, bad
	}
	sealed := bytes.Join(good, nil)
	switch {
	case total == "":
		return nil, &ArmourError{Problem: EndMissing}
	case total != totalCheck(sealed):
		return nil, &ArmourError{Problem: TotalDamaged}
	case !sealedSize(len(sealed)):
		return nil, notSealed(sealed)
	}
	return sealed, nil
}

func badLines(good [][]byte, damaged map[int]bool) error {
	var bad []int
	for i, chunk := range good {
		if chunk == nil {
			bad = append(bad, i+1)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	e := &ArmourError{Problem: LineMissing, Line: bad[0], Others: bad[1:]}
	if damaged[bad[0]] {
		e.Problem = LineDamaged
	}
	return e
}

func parseHeader(line string) (count int, err error) {
	rest := strings.Fields(strings.TrimPrefix(line, armourBegin))
	if len(rest) < 1 || !strings.HasPrefix(rest[0], "V") {
		return 0, &ArmourError{Problem: HeaderDamaged}
	}
	version, err := strconv.ParseUint(rest[0][1:], 10, 16)
	switch {
	case err != nil || version == 0:
		return 0, &ArmourError{Problem: HeaderDamaged}
	case version > armourVersion:
		return 0, fmt.Errorf("%w: its armour has version %d, this program knows version %d", ErrVersion, version, armourVersion)
	case len(rest) != 3 || rest[1] != "LINES":
		return 0, &ArmourError{Problem: HeaderDamaged}
	}
	count, err = strconv.Atoi(rest[2])
	if err != nil || count < 1 || count > maxLines {
		return 0, &ArmourError{Problem: HeaderDamaged}
	}
	return count, nil
}

// parseLine returns the number of a line, or 0 if it has none, and whether its check fits.
func parseLine(line string) (number int, chunk []byte, ok bool) {
	head, rest, _ := strings.Cut(line, " ")
	if len(head) < 3 || len(head) > 4 {
		return 0, nil, false
	}
	n, err := strconv.ParseUint(forgive(head), 10, 16)
	if err != nil {
		return 0, nil, false
	}
	number = int(n)
	data := forgive(rest)
	if len(data) <= checkChars {
		return number, nil, false
	}
	data, check := data[:len(data)-checkChars], data[len(data)-checkChars:]
	chunk, err = crockford.DecodeString(data)
	// Encoding again catches spare bits that the decoder ignores.
	if err != nil || len(chunk) > lineBytes || crockford.EncodeToString(chunk) != data || lineCheck(number, chunk) != check {
		return number, nil, false
	}
	return number, chunk, true
}

// forgive takes spaces out and reads letters the alphabet leaves out as what they look like.
var forgiving = strings.NewReplacer(" ", "", "O", "0", "I", "1", "L", "1")

func forgive(s string) string { return forgiving.Replace(s) }

func grouped(s string) string {
	var groups []string
	for chunk := range slices.Chunk([]byte(s), 8) {
		groups = append(groups, string(chunk))
	}
	return strings.Join(groups, " ")
}

// checkChars of 5 bits let one damaged line in a million pass; the total, 80 bits, gets that one.
const checkChars = 4

// lineCheck covers the number too, so a line under another's number is damaged.
func lineCheck(number int, chunk []byte) string {
	h := sha256.New()
	h.Write([]byte(lineLabel))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(number)))
	h.Write(chunk)
	return crockford.EncodeToString(h.Sum(nil))[:checkChars]
}

func totalCheck(sealed []byte) string {
	sum := sha256.Sum256(append([]byte(totalLabel), sealed...))
	return crockford.EncodeToString(sum[:10])
}
