package paper

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
	"unicode/utf8"

	"hiddenbackup/core/manifest"
)

const (
	textVersion = 1
	textBegin   = "HIDDEN BACKUP QR"

	// 2048 bytes are 3277 letters of base32, and with the header they fit the largest QR code at
	// correction level M. Every sealed size is a multiple of it, so all parts are alike.
	partBytes = 2 << 10
	maxParts  = 64

	// maxText is far above the text of 64 parts, 213 KiB.
	maxText = 1 << 20

	setBytes   = 10
	checkBytes = 5

	setLabel  = "hidden-backup qr v1 set"
	partLabel = "hidden-backup qr v1 part"
)

// crockford is the alphabet of the armour: all of it is in QR's alphanumeric mode.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// part is what one QR code holds.
type part struct {
	number, parts int
	size          int    // of the whole, in bytes
	set           string // names the whole
	data          []byte
}

// QRText returns sealed bytes as the texts of one or more QR codes, in order. A text has only
// letters of QR's alphanumeric mode, so that a telephone shows it and lets it be copied.
func QRText(sealed []byte) ([]string, error) {
	if err := checkSealed(sealed); err != nil {
		return nil, err
	}
	set := setOf(sealed)
	parts := (len(sealed) + partBytes - 1) / partBytes
	var texts []string
	for chunk := range slices.Chunk(sealed, partBytes) {
		p := part{len(texts) + 1, parts, len(sealed), set, chunk}
		texts = append(texts, fmt.Sprintf("%s V%d PART %d OF %d BYTES %d SET %s %s %s", textBegin, textVersion,
			p.number, p.parts, p.size, p.set, crockford.EncodeToString(p.data), p.check()))
	}
	return texts, nil
}

// FromQRText returns the sealed bytes of the QR texts that are somewhere in text. It tolerates
// line breaks and spaces anywhere, small letters, O for 0 and I or L for 1 in the data, quoting,
// words around, and parts in any order or given twice. It needs all parts of one manifest and
// no part of another: ErrParts, ErrMixed. A part whose check does not fit is ErrDamaged.
func FromQRText(text []byte) ([]byte, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%w: it is larger than 1 MiB", manifest.ErrNotManifest)
	}
	found, err := findParts(text)
	if len(found) == 0 {
		if err == nil {
			err = fmt.Errorf("%w: it has no text of a QR code of ours", manifest.ErrNotManifest)
		}
		return nil, err
	}
	first := found[0]
	have := make([][]byte, first.parts)
	for _, p := range found {
		if p.set != first.set || p.parts != first.parts || p.size != first.size {
			return nil, ErrMixed
		}
		have[p.number-1] = p.data
	}
	var missing []int
	for i, data := range have {
		if data == nil {
			missing = append(missing, i+1)
		}
	}
	switch {
	case len(missing) > 0 && err != nil:
		return nil, err // one of the missing is there, and damaged
	case len(missing) > 0:
		return nil, &PartsError{Missing: missing, Of: first.parts}
	}
	sealed := bytes.Join(have, nil)
	if setOf(sealed) != first.set {
		return nil, fmt.Errorf("%w: its parts do not belong together", ErrDamaged)
	}
	return sealed, nil
}

// looksQRText asks whether there may be a QR text of ours in data.
func looksQRText(data []byte) bool {
	// A sealed file is binary; do not walk it as text.
	if len(data) > maxText || bytes.IndexByte(data[:min(len(data), 64)], 0) >= 0 {
		return false
	}
	return strings.Contains(squeeze(data), squeezedBegin)
}

var squeezedBegin = strings.ReplaceAll(textBegin, " ", "") + "V"

// squeeze takes out what does not count: white space of any kind, marks without width, marks of
// quoting, case.
func squeeze(text []byte) string {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), r == '>', r == '|', r == '*':
		default:
			out = append(out, text[:n]...)
		}
		text = text[n:]
	}
	for i, b := range out {
		if 'a' <= b && b <= 'z' {
			out[i] = b - 'a' + 'A'
		}
	}
	return string(out)
}

// findParts returns the whole parts in text, and what is wrong with the first one that is not.
func findParts(text []byte) (found []part, err error) {
	rest := squeeze(text)
	for {
		_, after, ok := strings.Cut(rest, squeezedBegin)
		if !ok {
			return found, err
		}
		rest = after
		p, perr := parsePart(rest)
		switch {
		case perr == nil:
			found = append(found, p)
		case err == nil:
			err = perr
		}
	}
}

// parsePart reads a part from behind the V of its header.
func parsePart(s string) (part, error) {
	var p part
	version, s, ok := number(s, "")
	switch {
	case ok && version > textVersion:
		return p, fmt.Errorf("%w: its QR text has version %d, this program knows version %d", manifest.ErrVersion, version, textVersion)
	case version != textVersion:
		ok = false
	}
	for _, field := range []struct {
		name string
		to   *int
	}{{"PART", &p.number}, {"OF", &p.parts}, {"BYTES", &p.size}} {
		if ok {
			*field.to, s, ok = number(s, field.name)
		}
	}
	s, named := strings.CutPrefix(s, "SET")
	if !ok || !named || p.parts < 1 || p.parts > maxParts || p.number < 1 || p.number > p.parts || p.size != p.parts*partBytes {
		return p, fmt.Errorf("%w: its beginning cannot be read", ErrDamaged)
	}
	set, data, check := crockford.EncodedLen(setBytes), crockford.EncodedLen(partBytes), crockford.EncodedLen(checkBytes)
	if len(s) < set+data+check {
		return p, fmt.Errorf("%w: the end of part %d of %d is missing", ErrDamaged, p.number, p.parts)
	}
	s = forgiving.Replace(s[:set+data+check])
	p.set = s[:set]
	var err error
	p.data, err = crockford.DecodeString(s[set : set+data])
	// Encoding again catches spare bits that the decoder ignores.
	if err != nil || crockford.EncodeToString(p.data) != s[set:set+data] || p.check() != s[set+data:] {
		return p, fmt.Errorf("%w: part %d of %d is not as it was written", ErrDamaged, p.number, p.parts)
	}
	return p, nil
}

// forgiving reads letters the alphabet leaves out as what they look like.
var forgiving = strings.NewReplacer("O", "0", "I", "1", "L", "1")

// number reads name and up to six digits behind it.
func number(s, name string) (n int, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, name)
	if !ok {
		return 0, s, false
	}
	end := 0
	for end < len(s) && end < 6 && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	return n, s[end:], err == nil
}

// check covers everything else in the part, so that none of it can change unnoticed.
func (p part) check() string {
	h := sha256.New()
	h.Write([]byte(partLabel))
	for _, n := range []int{p.number, p.parts, p.size} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
	}
	h.Write([]byte(p.set))
	h.Write(p.data)
	return crockford.EncodeToString(h.Sum(nil)[:checkBytes])
}

func setOf(sealed []byte) string {
	sum := sha256.Sum256(append([]byte(setLabel), sealed...))
	return crockford.EncodeToString(sum[:setBytes])
}

// checkSealed knows sealed bytes by their size, a power of two.
func checkSealed(sealed []byte) error {
	if n := len(sealed); n < partBytes || n > maxParts*partBytes || n&(n-1) != 0 {
		return fmt.Errorf("%w: these are not sealed bytes", manifest.ErrNotManifest)
	}
	return nil
}
