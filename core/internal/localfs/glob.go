package localfs

import (
	"errors"
	"fmt"
	"strings"
)

// glob is a compiled pattern in the language of rsync: bytes, not characters,
// so that names of any encoding match; "**" crosses slashes anywhere.
type glob []piece

type piece struct {
	kind pieceKind
	lit  byte
	set  *[256]bool
}

type pieceKind uint8

const (
	literal  pieceKind = iota
	anyByte            // ? but not a slash
	oneOf              // [...] never a slash
	star               // * up to the next slash
	starstar           // ** across slashes
)

func compileGlob(p string) (glob, error) {
	var g glob
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*':
			kind := star
			for i+1 < len(p) && p[i+1] == '*' {
				kind = starstar
				i++
			}
			g = append(g, piece{kind: kind})
		case '?':
			g = append(g, piece{kind: anyByte})
		case '[':
			set, n, err := compileSet(p[i:])
			if err != nil {
				return nil, err
			}
			g = append(g, piece{kind: oneOf, set: set})
			i += n - 1
		case '\\':
			if i++; i == len(p) {
				return nil, errors.New(`"\" at the end escapes nothing`)
			}
			fallthrough
		default:
			g = append(g, piece{lit: p[i]})
		}
	}
	return g, nil
}

var errUnclosed = errors.New(`"[" without "]"`)

// compileSet reads a bracket expression at the start of p and returns its
// length. A "]" right at the start of the set is an ordinary member.
func compileSet(p string) (set *[256]bool, length int, err error) {
	set = new([256]bool)
	i := 1
	negated := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negated {
		i++
	}
	// member reads one byte of the set, perhaps an escaped one.
	member := func() (byte, error) {
		if i < len(p) && p[i] == '\\' {
			i++
		}
		if i >= len(p) {
			return 0, errUnclosed
		}
		i++
		return p[i-1], nil
	}
	for first := true; ; first = false {
		if i >= len(p) {
			return nil, 0, errUnclosed
		}
		if p[i] == ']' && !first {
			break
		}
		if strings.HasPrefix(p[i:], "[:") {
			name, _, found := strings.Cut(p[i+2:], ":]")
			in := classes[name]
			if !found || in == nil {
				return nil, 0, fmt.Errorf("unknown class in %q", p[i:])
			}
			for b := range 256 {
				set[b] = set[b] || b < 128 && in(byte(b))
			}
			i += len(name) + 4
			continue
		}
		low, err := member()
		if err != nil {
			return nil, 0, err
		}
		high := low
		if i+1 < len(p) && p[i] == '-' && p[i+1] != ']' {
			i++
			if high, err = member(); err != nil {
				return nil, 0, err
			}
			if high < low {
				return nil, 0, fmt.Errorf("range from %q back to %q", low, high)
			}
		}
		for b := int(low); b <= int(high); b++ {
			set[b] = true
		}
	}
	if negated {
		for b := range set {
			set[b] = !set[b]
		}
	}
	set['/'] = false
	return set, i + 1, nil
}

func between(b, low, high byte) bool { return low <= b && b <= high }
func isUpper(b byte) bool            { return between(b, 'A', 'Z') }
func isLower(b byte) bool            { return between(b, 'a', 'z') }
func isDigit(b byte) bool            { return between(b, '0', '9') }
func isAlpha(b byte) bool            { return isUpper(b) || isLower(b) }
func isAlnum(b byte) bool            { return isAlpha(b) || isDigit(b) }
func isGraph(b byte) bool            { return between(b, '!', '~') }

// classes are the POSIX ones, in the C locale.
var classes = map[string]func(byte) bool{
	"alnum":  isAlnum,
	"alpha":  isAlpha,
	"blank":  func(b byte) bool { return b == ' ' || b == '\t' },
	"cntrl":  func(b byte) bool { return b < ' ' || b == 127 },
	"digit":  isDigit,
	"graph":  isGraph,
	"lower":  isLower,
	"print":  func(b byte) bool { return b == ' ' || isGraph(b) },
	"punct":  func(b byte) bool { return isGraph(b) && !isAlnum(b) },
	"space":  func(b byte) bool { return b == ' ' || between(b, '\t', '\r') },
	"upper":  isUpper,
	"xdigit": func(b byte) bool { return isDigit(b) || between(b, 'a', 'f') || between(b, 'A', 'F') },
}

func (p piece) matches(b byte) bool {
	switch p.kind {
	case literal:
		return p.lit == b
	case anyByte:
		return b != '/'
	case oneOf:
		return p.set[b]
	}
	return false
}

// match never goes back beyond the latest star of each kind, so that no
// pattern takes exponential time. That is enough: what an earlier star could
// take in addition, a later one of its kind can take as well.
func (g glob) match(s []byte) bool {
	type retry struct{ piece, at int } // try again: piece with the star ending at
	none := retry{-1, 0}
	one, two := none, none
	i, j := 0, 0
	for {
		switch {
		case i < len(g) && g[i].kind == star:
			i++
			one = retry{i, j}
		case i < len(g) && g[i].kind == starstar:
			i++
			one, two = none, retry{i, j}
		case i == len(g) && j == len(s):
			return true
		case i < len(g) && j < len(s) && g[i].matches(s[j]):
			i++
			j++
		case one.piece >= 0 && one.at < len(s) && s[one.at] != '/':
			one.at++
			i, j = one.piece, one.at
		case two.piece >= 0 && two.at < len(s):
			two.at++
			one = none
			i, j = two.piece, two.at
		default:
			return false
		}
	}
}
