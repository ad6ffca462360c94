package paper

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hiddenbackup/core/manifest"
)

// sizes are those that sealed manifests have.
var sizes = []int{2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10}

// sealed draws bytes as random as a manifest's, the same ones in every run.
func sealed(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{'p', byte(n >> 10)}).Read(b)
	return b
}

func textsOf(t testing.TB, b []byte) []string {
	t.Helper()
	texts, err := QRText(b)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func TestQRTextOfEverySizeComesBack(t *testing.T) {
	for _, n := range sizes {
		b := sealed(n)
		texts := textsOf(t, b)
		if len(texts) != n/partBytes {
			t.Errorf("%d bytes: %d texts", n, len(texts))
		}
		for _, text := range texts {
			// 3391 letters are what version 40 holds at level M.
			if len(text) > 3391 || !regexp.MustCompile(`^HIDDEN BACKUP QR [0-9A-Z ]+$`).MatchString(text) {
				t.Errorf("%d letters: %.80q", len(text), text)
			}
		}
		got, err := FromQRText([]byte(strings.Join(texts, "\n")))
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes come back as %d: %v", n, len(got), err)
		}
	}
	for _, n := range []int{0, 1, 2047, 2049, 3 << 10, 6 << 10, 256 << 10} {
		if _, err := QRText(make([]byte, n)); !errors.Is(err, manifest.ErrNotManifest) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestQRTextSurvivesMessages(t *testing.T) {
	b := sealed(4096)
	texts := textsOf(t, b)
	all := strings.Join(texts, "\n")
	folded := regexp.MustCompile(`.{60}`).ReplaceAllString(all, "$0\n")
	hands := strings.NewReplacer("0", "o", "1", "l")
	_, data, _ := strings.Cut(texts[0], " SET ")
	for name, variant := range map[string]string{
		"as it is":         all,
		"folded":           folded,
		"folded and mail":  "> " + strings.ReplaceAll(folded, "\n", "\r\n> "),
		"small letters":    strings.ToLower(folded),
		"no spaces":        strings.ReplaceAll(all, " ", ""),
		"wide spaces":      strings.ReplaceAll(all, " ", "\u00a0\t\u200b"),
		"the other order":  texts[1] + texts[0],
		"twice":            all + all,
		"words around":     "[12:01] Grace: here it is\n" + texts[1] + "\n[12:02] and the other: " + texts[0] + " keep it!",
		"typed by hand":    strings.Replace(all, data, hands.Replace(data), 1),
		"a broken one too": texts[0][:500] + "\n" + strings.Replace(texts[1], "A", "B", 3) + all,
		"talk about it":    "Is this the HIDDEN BACKUP QR V1 text you mean?\n" + all,
	} {
		if got, err := FromQRText([]byte(variant)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %v", name, err)
		}
		if !looksQRText([]byte(variant)) {
			t.Errorf("%s: it is not recognised", name)
		}
	}
}

func TestQRTextDamageIsNoticed(t *testing.T) {
	b := sealed(2048)
	text := textsOf(t, b)[0]
	for i := 0; i < len(text); i += 7 {
		altered := []byte(text)
		altered[i] = 'X'
		if text[i] == 'X' {
			altered[i] = 'Y'
		}
		if got, err := FromQRText(altered); err == nil && !bytes.Equal(got, b) {
			t.Fatalf("letter %d altered: another manifest came out", i)
		} else if err == nil && text[i] != ' ' {
			t.Fatalf("letter %d altered: nobody noticed", i)
		}
	}
	for name, variant := range map[string]string{
		"cut off":         text[:3000],
		"only the header": text[:40],
		"a letter less":   text[:1000] + text[1001:],
		"part 0":          strings.Replace(text, "PART 1", "PART 0", 1),
		"part 2 of 1":     strings.Replace(text, "PART 1", "PART 2", 1),
		"of 65":           strings.Replace(text, "OF 1", "OF 65", 1),
		"another size":    strings.Replace(text, "BYTES 2048", "BYTES 4096", 1),
		"version 0":       strings.Replace(text, "V1", "V0", 1),
		"long number":     strings.Replace(text, "PART 1", "PART 1111111111111111111111", 1),
	} {
		if _, err := FromQRText([]byte(variant)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FromQRText([]byte(strings.Replace(text, "V1", "V2", 1))); !errors.Is(err, manifest.ErrVersion) {
		t.Errorf("a later version: %v", err)
	}
	for _, s := range []string{"", "hello", "HIDDEN BACKUP", strings.Repeat("a", maxText+1)} {
		if _, err := FromQRText([]byte(s)); !errors.Is(err, manifest.ErrNotManifest) {
			t.Errorf("%.20q: %v", s, err)
		}
	}
}

func TestQRTextNamesMissingParts(t *testing.T) {
	texts := textsOf(t, sealed(16<<10))
	for _, c := range []struct {
		have []string
		want []int
		says string
	}{
		{texts[1:], []int{1}, "code 1 of 8 is"},
		{texts[:7], []int{8}, "code 8 of 8 is"},
		{texts[2:], []int{1, 2}, "codes 1, 2 of 8 are"},
		{[]string{texts[1], texts[6]}, []int{1, 3, 4, 5, 6, 8}, "codes 1, 3 to 6, 8 of 8 are"},
	} {
		_, err := FromQRText([]byte(strings.Join(c.have, "\n")))
		var parts *PartsError
		if !errors.As(err, &parts) || !errors.Is(err, ErrParts) || !slices.Equal(parts.Missing, c.want) || parts.Of != 8 {
			t.Errorf("%v: %v", c.want, err)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("it does not say %q: %v", c.says, err)
		}
	}
	// One that is there and damaged is not “missing”.
	damaged := strings.Replace(strings.Join(texts, "\n"), texts[3][200:230], strings.Repeat("0", 30), 1)
	if _, err := FromQRText([]byte(damaged)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "part 4 of 8") {
		t.Errorf("part 4 is damaged: %v", err)
	}
}

func TestQRTextOfTwoManifestsIsNotMixed(t *testing.T) {
	one, other := sealed(4096), sealed(4096)
	other[0] ^= 1
	a, b := textsOf(t, one), textsOf(t, other)
	for name, text := range map[string]string{
		"a part of each":       a[0] + b[1],
		"one and another part": a[0] + a[1] + b[0],
		"another size":         a[0] + a[1] + textsOf(t, sealed(2048))[0],
	} {
		if _, err := FromQRText([]byte(text)); !errors.Is(err, ErrMixed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Somebody who makes the checks fit still cannot join parts of two.
	p := part{1, 2, 4096, setOf(one), other[:partBytes]}
	forged := fmt.Sprintf("%s V1 PART 1 OF 2 BYTES 4096 SET %s %s %s", textBegin, p.set, crockford.EncodeToString(p.data), p.check())
	if _, err := FromQRText([]byte(forged + a[1])); !errors.Is(err, ErrDamaged) {
		t.Errorf("a forged part: %v", err)
	}
}

func FuzzFromQRText(f *testing.F) {
	text := textsOf(f, sealed(2048))[0]
	f.Add([]byte(text))
	f.Add([]byte(text[:100]))
	f.Add([]byte("hidden backup qr v1 part 1 of 2 bytes 4096 set"))
	f.Add([]byte("HIDDEN BACKUP QR V99999999"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := FromQRText(data)
		if err != nil {
			known := []error{ErrDamaged, ErrMixed, ErrParts, manifest.ErrNotManifest, manifest.ErrVersion}
			if !slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		again, err := QRText(got)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := FromQRText([]byte(strings.Join(again, " "))); err != nil || !bytes.Equal(back, got) {
			t.Fatalf("the text is not stable: %v", err)
		}
	})
}
