package manifest

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sethvargo/go-diceware/diceware"
	"golang.org/x/text/unicode/norm"
)

const (
	generatedWords = 7
	maxPassphrase  = 1024

	// enoughBits is the floor for chosen passphrases. A guess costs half a gibibyte and about a
	// second; a million machines of ten guesses a second need 58 000 years for half of 2^65.
	// That leaves 15 bits for what a simple estimate gets wrong before it is a matter of years.
	enoughBits = 65
)

// GeneratePassphrase draws seven different words of the EFF's large list, and says how many
// bits that is (90). The caller wipes them.
func GeneratePassphrase() (passphrase []byte, bits float64, err error) {
	words, err := diceware.GenerateWithWordList(generatedWords, diceware.WordListEffLarge())
	if err != nil {
		return nil, 0, fmt.Errorf("drawing words: %w", err)
	}
	for i := range words {
		bits += math.Log2(listSize - float64(i))
	}
	return []byte(strings.Join(words, " ")), bits, nil
}

// canonicalPassphrase is what is stretched, so that one passphrase typed on another keyboard,
// or copied with a line break, is the same bytes: Unicode NFC, no white space around it, one
// space for white space within it. If all of its words are of the EFF list, capitals do not count.
func canonicalPassphrase(p []byte) ([]byte, error) {
	if len(p) > maxPassphrase {
		return nil, invalid("the passphrase is longer than %d bytes", maxPassphrase)
	}
	if !utf8.Valid(p) {
		return nil, invalid("the passphrase is not valid UTF-8")
	}
	normal := norm.NFC.Append(make([]byte, 0, 3*len(p)), p...)
	defer wipe(normal)
	fields := bytes.Fields(normal)
	if len(fields) == 0 {
		return nil, invalid("the passphrase is empty")
	}
	listed := true
	for _, f := range fields {
		listed = listed && isWord(f)
	}
	out := make([]byte, 0, len(normal)+1)
	for i, f := range fields {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, f...)
	}
	if listed {
		lower(out)
	}
	return out, nil
}

// lower does not allocate, so it leaves no copy behind.
func lower(b []byte) {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

func isWord(f []byte) bool {
	var buf [16]byte // the longest listed word has nine letters
	if len(f) > len(buf) {
		return false
	}
	word := buf[:copy(buf[:], f)]
	lower(word)
	listed := wordSet()[string(word)]
	wipe(word)
	return listed
}

// CheckStrength reports, as ErrWeak with a reason, a passphrase that could be guessed.
// The estimate is cautious: it believes in words of the EFF list and in mixed characters, and
// in little else.
func CheckStrength(passphrase []byte) error {
	canonical, err := canonicalPassphrase(passphrase)
	if err != nil {
		return err
	}
	defer wipe(canonical)
	bits := estimate(canonical)
	if bits >= enoughBits {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrWeak, weakness(canonical))
}

// weakness picks the one sentence that helps most.
func weakness(p []byte) string {
	var letters, digits, other, most int
	count := make(map[rune]int)
	for _, r := range string(p) {
		count[r]++
		most = max(most, count[r])
		switch {
		case unicode.IsLetter(r):
			letters++
		case unicode.IsDigit(r):
			digits++
		case r != ' ':
			other++
		}
	}
	n := letters + digits + other
	switch {
	case n < 12:
		return "it is too short; take seven random words"
	case letters+other == 0:
		return "it is made of digits only; take seven random words"
	case most*2 > n:
		return "it repeats one character; take seven random words"
	case patterned(p)*2 > n:
		return "it follows the alphabet, the numbers or a row of the keyboard; take seven random words"
	case bytes.ContainsRune(p, ' '):
		return "it has too few uncommon words; take seven random words"
	}
	return "it is too close to words people use; take seven random words"
}

// rows are what fingers and memories follow.
var rows = []string{
	"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm",
	"qwertz", "yxcvbnm", "azerty", "qsdfghjklm", "wxcvbn", "йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю",
}

// common are the roots of the passwords in every leaked list.
var common = map[string]bool{
	"password": true, "passwort": true, "passphrase": true, "letmein": true, "welcome": true, "dragon": true,
	"monkey": true, "iloveyou": true, "admin": true, "login": true, "princess": true, "football": true,
	"sunshine": true, "master": true, "shadow": true, "superman": true, "batman": true, "trustno": true,
	"hidden": true, "backup": true, "tails": true, "tahoe": true, "secret": true, "manifest": true,
	"correct": true, "horse": true, "battery": true, "staple": true, "correcthorsebatterystaple": true,
}

// estimate adds up, word by word, the bits a guesser who knows how people choose must try.
func estimate(p []byte) float64 {
	bits := 0.0
	seen := make(map[string]bool)
	for _, f := range bytes.Fields(p) {
		for _, run := range runs([]rune(strings.ToLower(string(f)))) {
			key := string(run.text)
			switch {
			case seen[key]:
				bits++
			case run.kind == 'a' && len(run.text) == utf8.RuneCount(f):
				bits += wholeWord(key)
			default:
				bits += run.bits()
			}
			seen[key] = true
		}
		if !bytes.Equal(f, bytes.ToLower(f)) {
			bits++ // capitals somewhere
		}
	}
	return bits
}

// wholeWord is for letters between spaces: a listed word counts as drawn from the list, others
// as drawn from the thousand people use; little words tie sentences together.
func wholeWord(w string) float64 {
	n := utf8.RuneCountInString(w)
	switch {
	case common[w]:
		return 4
	case wordSet()[w]: // even "were", which follows the keyboard: it may have been drawn
		return math.Log2(listSize)
	case patterned([]byte(w))*2 > n || repeats([]rune(w)):
		return 4
	case n <= 3:
		return 6
	}
	return 10 + 2*float64(max(0, n-8))
}

type run struct {
	kind byte // a letters, 0 digits, ! others
	text []rune
}

// bits is for a run within a mixed word.
func (r run) bits() float64 {
	n := float64(len(r.text))
	switch {
	case common[string(r.text)]:
		return 4
	case len(r.text) > 2 && (repeats(r.text) || patterned([]byte(string(r.text)))*2 > len(r.text)):
		return 4
	case r.kind == '0' && len(r.text) >= 4:
		return 3 * n / 2 // years, dates, telephone numbers
	case r.kind == '0':
		return 3.3 * n
	case r.kind == '!':
		return 4 + 2*(n-1)
	case len(r.text) <= 2:
		return 5 * n
	case len(r.text) == 3:
		return 10
	}
	return 10 + 2*math.Max(0, n-8)
}

func runs(word []rune) []run {
	var out []run
	for _, r := range word {
		kind := byte('!')
		switch {
		case unicode.IsLetter(r):
			kind = 'a'
		case unicode.IsDigit(r):
			kind = '0'
		case r == '-' && len(out) > 0 && wordSet()[string(word)]:
			kind = 'a' // the list has a few words with a hyphen
		}
		if len(out) == 0 || out[len(out)-1].kind != kind {
			out = append(out, run{kind: kind})
		}
		out[len(out)-1].text = append(out[len(out)-1].text, r)
	}
	return out
}

// repeats reports whether a text has no more than two different characters.
func repeats(text []rune) bool {
	different := make(map[rune]bool)
	for _, r := range text {
		different[r] = true
	}
	return len(text) > 2 && len(different) <= 2
}

// patterned counts the characters that stand in stretches of three or more along a row, either way.
func patterned(p []byte) int {
	text := []rune(strings.ToLower(string(p)))
	total, length, last := 0, 1, 0
	for i := 1; i <= len(text); i++ {
		step := 0
		if i < len(text) {
			step = rowStep(text[i-1], text[i])
		}
		if step != 0 && (length == 1 || step == last) {
			length, last = length+1, step
			continue
		}
		if length >= 3 {
			total += length
		}
		if length, last = 1, step; step != 0 {
			length = 2
		}
	}
	return total
}

func rowStep(a, b rune) int {
	for _, row := range rows {
		switch {
		case strings.Contains(row, string([]rune{a, b})):
			return 1
		case strings.Contains(row, string([]rune{b, a})):
			return -1
		}
	}
	return 0
}
