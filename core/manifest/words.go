package manifest

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/sethvargo/go-diceware/diceware"
)

// listSize is 6⁵: five dice name a word.
const listSize = 7776

// wordList is the EFF's large list in the order of the dice. Fingerprints and passphrases are
// made of it, so it belongs to the format; a test holds its hash.
var wordList = sync.OnceValue(func() []string {
	source := diceware.WordListEffLarge()
	words := make([]string, 0, listSize)
	for i := range listSize {
		roll, n := 0, i
		for _, place := range [...]int{1, 10, 100, 1000, 10000} {
			roll += (n%6 + 1) * place
			n /= 6
		}
		words = append(words, source.WordAt(roll))
	}
	return words
})

var wordSet = sync.OnceValue(func() map[string]bool {
	set := make(map[string]bool, listSize)
	for _, w := range wordList() {
		set[w] = true
	}
	return set
})

// Fingerprint names the sealed bytes in four words, so that two people can compare what they
// hold by phone. Nobody needs the passphrase for it; data may be sealed bytes or armour.
// 51 bits tell generations and damaged copies apart; they are no proof against somebody who
// spends years of computing to make two files with the same name.
func Fingerprint(data []byte) ([4]string, error) {
	sealed, err := sealedBytes(data)
	if err != nil {
		return [4]string{}, err
	}
	sum := sha256.Sum256(sealed)
	n := binary.BigEndian.Uint64(sum[:])
	var words [4]string
	for i := range words {
		words[i] = wordList()[n%listSize]
		n /= listSize
	}
	return words, nil
}

// Words is the fingerprint in one line.
func Words(data []byte) (string, error) {
	words, err := Fingerprint(data)
	return strings.Join(words[:], " "), err
}

func sealedBytes(data []byte) ([]byte, error) {
	if len(data) <= maxInput && IsArmour(data) {
		return Dearmour(data)
	}
	if !sealedSize(len(data)) {
		return nil, notSealed(data)
	}
	return data, nil
}

// SameWords compares four words as people pass them on: capitals, spaces and what stands
// between the words do not matter.
func SameWords(a, b string) bool {
	words := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r != '-' && !unicode.IsLetter(r) })
	}
	return len(words(a)) == 4 && slices.Equal(words(a), words(b))
}
