package paper

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"hiddenbackup/core/manifest"
)

var cardDay = time.Date(2026, 3, 14, 15, 9, 26, 0, time.FixedZone("", 3600))

func cardOf(t testing.TB, b []byte, to string) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := WriteCard(&buf, Card{Sealed: b, To: to, Made: cardDay}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

var length = regexp.MustCompile(`/Length (\d+)`)

// opened returns the text and the pictures of a PDF, page content in order.
func opened(t testing.TB, pdf []byte) (text string, pictures [][]byte) {
	t.Helper()
	for rest := pdf; ; {
		before, after, ok := bytes.Cut(rest, []byte(">>\nstream\n"))
		if !ok {
			return text, pictures
		}
		dict := string(before[bytes.LastIndex(before, []byte(" obj\n")):])
		n, err := strconv.Atoi(length.FindStringSubmatch(dict)[1])
		if err != nil {
			t.Fatal(err)
		}
		data := after[:n]
		rest = after[n:]
		if strings.Contains(dict, "/Subtype /Image") {
			pictures = append(pictures, pngAgain(t, dict, data))
			continue
		}
		r, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			continue // a font's table
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range regexp.MustCompile(`(?s)\(((?:[^\\)]|\\.)*)\) Tj`).FindAllStringSubmatch(string(plain), -1) {
			text += s[1] + "\n"
		}
	}
}

// pngAgain makes a PNG of a picture in a PDF, which is one without its header.
func pngAgain(t testing.TB, dict string, data []byte) []byte {
	t.Helper()
	number := func(name string) uint32 {
		m := regexp.MustCompile(name + ` (\d+)`).FindStringSubmatch(dict)
		if m == nil {
			t.Fatalf("no %s in %s", name, dict)
		}
		n, _ := strconv.ParseUint(m[1], 10, 32)
		return uint32(n)
	}
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, body []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		out = append(append(out, name...), body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(append([]byte(name), body...)))
	}
	head := binary.BigEndian.AppendUint32(nil, number("/Width"))
	head = binary.BigEndian.AppendUint32(head, number("/Height"))
	chunk("IHDR", append(head, byte(number("/BitsPerComponent")), 3, 0, 0, 0))
	chunk("PLTE", []byte{255, 255, 255, 0, 0, 0})
	chunk("IDAT", data)
	chunk("IEND", nil)
	return out
}

func TestCardHoldsTheManifestTwice(t *testing.T) {
	for _, n := range sizes[:2] {
		b := sealed(n)
		text, pictures := opened(t, cardOf(t, b, "Anna"))
		if got, err := manifest.Dearmour([]byte(text)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: the text form: %v", n, err)
		}
		var all []string
		for _, picture := range pictures {
			if n == 2048 {
				if got, err := Extract(picture); err != nil || !bytes.Equal(got, b) {
					t.Errorf("the code: %v", err)
				}
			}
			g, err := decodePicture(picture)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, findCodes(g, func([]string) bool { return true })...)
		}
		if got, err := FromQRText([]byte(strings.Join(all, "\n"))); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: %d codes: %v", n, len(pictures), err)
		}
	}
}

func TestCardSaysWhatAHolderNeeds(t *testing.T) {
	b := sealed(2048)
	words, err := manifest.Words(b)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := opened(t, cardOf(t, b, "Anna (the tall one). She asks for the lighthouse."))
	flat := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{"four words " + words, "manifest check FILE --words", words + `"`, "2026-03-14", `Anna \(the tall one\). She asks for the lighthouse.`, "do not post it", "without the passphrase", "1 / 1"} {
		if !strings.Contains(flat, want) {
			t.Errorf("it does not say %q:\n%s", want, text[:1500])
		}
	}
}

// The file goes to other people: it must not tell who made it, where, or at what hour.
func TestCardTellsNothingOfTheMachine(t *testing.T) {
	pdf := cardOf(t, sealed(2048), "Отдайте Анне")
	text, _ := opened(t, pdf)
	whole := string(pdf) + text
	banned := []string{"FPDF", "fpdf", "/Producer", "/Creator", "/Author", "/Title", "/home/", "/usr/", "DejaVu", "dejavu"}
	if name, err := os.Hostname(); err == nil {
		banned = append(banned, name)
	}
	if u, err := user.Current(); err == nil {
		banned = append(banned, u.Username)
	}
	if dir, err := os.Getwd(); err == nil {
		banned = append(banned, dir)
	}
	for _, s := range banned {
		if len(s) > 3 && strings.Contains(whole, s) {
			t.Errorf("it holds %q", s)
		}
	}
	for _, date := range regexp.MustCompile(`Date \(D:(\d+)`).FindAllStringSubmatch(string(pdf), -1) {
		if date[1] != "20260314000000" {
			t.Errorf("date %s", date[1])
		}
	}
	var undated bytes.Buffer
	if err := WriteCard(&undated, Card{Sealed: sealed(2048)}); err != nil {
		t.Fatal(err)
	}
	if s := undated.String(); strings.Contains(s, "(D:"+time.Now().Format("2006")) {
		t.Error("an undated card has today's date")
	}
}

func TestCardGrowsWithItsText(t *testing.T) {
	slow(t)
	pages := func(b []byte, to string) int {
		return strings.Count(string(cardOf(t, b, to)), "/Type /Page\n")
	}
	b := sealed(2048)
	long := strings.Repeat("Give it to whoever brings the other half of the postcard with the lighthouse. ", 20)
	for name, c := range map[string]struct {
		b         []byte
		to        string
		min, most int
	}{
		"no text":           {b, "", 1, 1},
		"four lines":        {b, "one\ntwo\nthree\nfour", 1, 1},
		"long":              {b, long, 2, 2},
		"very long":         {b, strings.Repeat(long, 10), 3, 6},
		"one endless word":  {b, strings.Repeat("x", 3000), 2, 3},
		"many empty lines":  {b, strings.Repeat("\n", 300), 1, 8},
		"a large manifest":  {sealed(16 << 10), "Anna", 6, 9},
		"letters of no fit": {b, strings.Repeat("Ж", 500), 2, 2},
	} {
		if n := pages(c.b, c.to); n < c.min || n > c.most {
			t.Errorf("%s: %d pages", name, n)
		}
	}
	// Every word of a long text is there.
	text, _ := opened(t, cardOf(t, b, strings.Repeat(long, 10)))
	if n := strings.Count(strings.Join(strings.Fields(text), " "), "the other half of the postcard"); n != 200 {
		t.Errorf("%d of 200 sentences are printed", n)
	}
}

func TestLettersThatCannotBePrintedAreNamed(t *testing.T) {
	var w bytes.Buffer
	for _, to := range []string{"交给安娜", "हिन्दी", "Anna 🙂", "Anna\x07"} {
		if err := WriteCard(&w, Card{Sealed: sealed(2048), To: to}); !errors.Is(err, ErrLetters) {
			t.Errorf("%q: %v", to, err)
		}
	}
	before := fontFile
	t.Cleanup(func() { fontFile = before })
	fontFile = filepath.Join(t.TempDir(), "none.ttf")
	if err := WriteCard(&w, Card{Sealed: sealed(2048), To: "Анна"}); !errors.Is(err, ErrLetters) || !strings.Contains(err.Error(), "fonts-dejavu-core") {
		t.Errorf("no font: %v", err)
	}
	if err := os.WriteFile(fontFile, []byte("no font at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteCard(&w, Card{Sealed: sealed(2048), To: "Анна"}); !errors.Is(err, ErrLetters) {
		t.Errorf("a broken font: %v", err)
	}
	if w.Len() > 0 {
		t.Error("something was written")
	}
	if err := WriteCard(&w, Card{Sealed: sealed(2048), To: "Zoë: “Grüße” – déjà vu, 5 €"}); err != nil {
		t.Errorf("letters of Western Europe need no font: %v", err)
	}
}

func TestRightToLeftIsPutInOrder(t *testing.T) {
	for _, c := range []struct {
		in, want string
		right    bool
	}{
		{"Anna 12", "Anna 12", false},
		{"שלום 12", "12 םולש", true},
		{"(שלום)", "(םולש)", true},
		{"سلام", "\uFEE1\uFEFC\uFEB3", true},        // seen, lam with alef, meem
		{"بيت", "\uFE96\uFEF4\uFE91", true},         // at the beginning, in the middle, at the end
		{"دار", "\uFEAD\uFE8D\uFEA9", true},         // none joins the next
		{"بَيت", "\uFE96\uFEF4\uFE91", true},        // without vowel signs
		{"to سلام", "to \uFEE1\uFEFC\uFEB3", false}, // within a line of another script
	} {
		if got, right := visual(c.in); got != c.want || right != c.right {
			t.Errorf("%q: %s %v", c.in, fmt.Sprintf("%+q", got), right)
		}
	}
}
