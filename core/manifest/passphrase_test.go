package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestWordListNeverChanges(t *testing.T) {
	words := wordList()
	if len(words) != listSize || len(wordSet()) != listSize || words[0] != "abacus" || words[listSize-1] != "zoom" {
		t.Fatal("this is not the EFF's large list")
	}
	sum := sha256.Sum256([]byte(strings.Join(words, "\n") + "\n"))
	if got := hex.EncodeToString(sum[:]); got != "6d557f0693958fb5e650b68b5bee585eb82cf4da32965505c789e924743bc522" {
		t.Errorf("the list has hash %s", got)
	}
}

func TestPassphraseMeansTheSameHoweverItIsTyped(t *testing.T) {
	for _, same := range [][]string{
		{"caf\u00e9 noir", "cafe\u0301 noir", "  caf\u00e9\tnoir\r\n", "cafe\u0301 \u00a0 noir\n"},
		{"\u212bngstr\u00f6m", "A\u030angstro\u0308m"},
		{"abacus zoom t-shirt", "Abacus Zoom T-Shirt", "ABACUS  ZOOM  T-SHIRT\n"},
	} {
		for _, p := range same {
			got, err := canonicalPassphrase([]byte(p))
			if err != nil {
				t.Fatal(err)
			}
			want, err := canonicalPassphrase([]byte(same[0]))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%q becomes %q and %q becomes %q", p, got, same[0], want)
			}
		}
	}
	for _, other := range [][2]string{
		{"Abacus zoom xyzzy", "abacus zoom xyzzy"}, {"a b", "ab"}, {"ﬁne", "fine"}, {"straße", "strasse"}, {"①", "1"},
	} {
		a, _ := canonicalPassphrase([]byte(other[0]))
		b, _ := canonicalPassphrase([]byte(other[1]))
		if bytes.Equal(a, b) {
			t.Errorf("%q and %q are one passphrase", other[0], other[1])
		}
	}
}

func TestGeneratedPassphraseIsStrong(t *testing.T) {
	seen := make(map[string]bool)
	for range 3000 {
		p, bits, err := GeneratePassphrase()
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(bits-90.4) > 0.1 {
			t.Fatalf("%f bits", bits)
		}
		words := strings.Fields(string(p))
		if len(words) != 7 {
			t.Fatalf("%d words", len(words))
		}
		for _, w := range words {
			if !wordSet()[w] {
				t.Errorf("%q is not in the list", w)
			}
		}
		if err := CheckStrength(p); err != nil {
			t.Errorf("a generated passphrase is refused: %v", err)
		}
		if seen[string(p)] {
			t.Error("the same one twice")
		}
		seen[string(p)] = true
	}
}

func TestCheckStrength(t *testing.T) {
	weak := []string{
		"a", "password", "Password123!", "P@ssw0rd2024!", "12345678901234567890", "qwertyuiopasdfghjklzxcvbnm",
		"abcdefghijklmnopqrstuvwxyz0123456789", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababababab",
		"correct horse battery staple", "correcthorsebatterystaple", "Tr0ub4dor&3", "letmein letmein letmein letmein letmein",
		"abacus abacus abacus abacus abacus abacus abacus abacus", "to be or not to be that is the question",
		"3141592653589793238462643383279502884", "0049 30 1234567 0049 30 7654321", "MyDogIsCalledRex1987", "Passwort Passwort Passwort 1",
		"zyxwvutsrqponmlkjihgfedcba", "111111 222222 333333 444444 555555", "Hidden Backup Tails Tahoe manifest", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
		"abacus zoom t-shirt", "йцукенгшщзхъфывапролджэ", "the cat sat on the mat",
	}
	for _, p := range weak {
		err := CheckStrength([]byte(p))
		if !errors.Is(err, ErrWeak) {
			t.Errorf("%q passes with %.1f bits", p, estimate([]byte(p)))
		} else if strings.Contains(err.Error(), p) && len(p) > 1 || !strings.Contains(err.Error(), "seven random words") {
			t.Errorf("%q: %v", p, err)
		}
	}
	for _, p := range []string{
		"abacus zoom t-shirt crayon fidelity bonehead", "Abacus Zoom Crayon Fidelity Bonehead Yogurt Unmanned",
		"kX9$vQ2#mL7!tR4&wZ8*", "f3q7-k9x2-w8m4-z6p1-t5v0-h7n3", "Mein grüner Kaktus überlebt Winterstürme ohne Strümpfe, sagt Tante Hilde.",
	} {
		if err := CheckStrength([]byte(p)); err != nil {
			t.Errorf("%q has only %.1f bits: %v", p, estimate([]byte(p)), err)
		}
	}
	for _, p := range []string{"", "\xff"} {
		if err := CheckStrength([]byte(p)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestFingerprintNamesTheSealedBytes(t *testing.T) {
	sealed := read(t, "v1-owner.sealed")
	words, err := Words(sealed)
	if err != nil {
		t.Fatal(err)
	}
	// Computed once by another program; it must stay, or people could not compare versions.
	if words != "refinance subheader proponent tingling" {
		t.Errorf("its words are %q", words)
	}
	armoured, err := Words(append([]byte("Dear holder,\r\n> \r\n"), read(t, "v1-owner.txt")...))
	if err != nil || armoured != words {
		t.Errorf("the armour is named %q: %v", armoured, err)
	}
	altered := bytes.Clone(sealed)
	altered[1000]++
	if other, err := Words(altered); err != nil || other == words {
		t.Errorf("altered bytes have the same words: %v", err)
	}
}
