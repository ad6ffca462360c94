package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func armourOf(t testing.TB, sealed []byte) []string {
	t.Helper()
	text, err := Armour(sealed)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func join(lines []string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }

func TestArmourIsShortLinesOfPlainLetters(t *testing.T) {
	for size := smallestSealed; size <= largestSealed; size *= 2 {
		f := newFixture(t)
		sealed := f.bytes(size)
		lines := armourOf(t, sealed)
		for _, line := range lines {
			if len(line) > 64 || !regexp.MustCompile(`^[0-9A-Z ]+$`).MatchString(line) {
				t.Errorf("line %q", line)
			}
		}
		got, err := Dearmour(join(lines))
		if err != nil || !bytes.Equal(got, sealed) {
			t.Errorf("%d bytes come back as %d: %v", size, len(got), err)
		}
		if err := CheckArmour(join(lines)); err != nil {
			t.Error(err)
		}
	}
}

func TestArmourSurvivesMailAndChat(t *testing.T) {
	sealed := read(t, "v1-owner.sealed")
	lines := armourOf(t, sealed)
	text := string(join(lines))
	each := func(f func(i int, line string) string) string {
		var out []string
		for i, line := range lines {
			out = append(out, f(i, line))
		}
		return strings.Join(out, "\n")
	}
	reversed := slices.Clone(lines)
	slices.Reverse(reversed[1 : len(reversed)-1])
	hands := strings.NewReplacer("0", "o", "1", "l")
	for name, variant := range map[string]string{
		"as it is":            text,
		"no last line break":  strings.TrimSpace(text),
		"DOS":                 strings.ReplaceAll(text, "\n", "\r\n"),
		"old Mac":             strings.ReplaceAll(text, "\n", "\r"),
		"byte order mark":     "\ufeff" + text,
		"double spacing":      strings.ReplaceAll(text, "\n", "\n\n"),
		"wide spaces":         strings.ReplaceAll(text, " ", "  \u00a0 "),
		"no spaces in groups": each(func(i int, l string) string { return groupSpaces.ReplaceAllString(l, "$1") }),
		"tabs":                strings.ReplaceAll(text, " ", "\t"),
		"spaces at line ends": each(func(_ int, l string) string { return "  " + l + "   " }),
		"quoted":              each(func(_ int, l string) string { return "> " + l }),
		"quoted twice":        each(func(_ int, l string) string { return ">> > " + l }),
		"quoted with bars":    each(func(_ int, l string) string { return "| " + l }),
		"zero width marks":    each(func(_ int, l string) string { return "\u200e" + l + "\u200b" }),
		"small letters":       strings.ToLower(text),
		"typed by hand": each(func(i int, l string) string {
			return map[bool]string{true: l, false: hands.Replace(l)}[i == 0 || i == len(lines)-1]
		}),
		"text around":      "Dear Ada,\nplease keep this:\n\n" + text + "\n-- \nGrace, 030 1234567\n",
		"every line twice": each(func(_ int, l string) string { return l + "\n" + l })[len(lines[0])+1:],
		"foreign lines": each(func(i int, l string) string {
			return l + fmt.Sprintf("\n[12:%02d] Grace:\npage %d of 9\n20%02d", i%60, i, i%30)
		}),
		"any order":             string(join(reversed)),
		"a broken block before": lines[0] + "\n" + lines[1] + "\n\n" + text,
		"a broken line as well": strings.Replace(text, lines[7], lines[7][:20]+"\n"+lines[7], 1),
	} {
		got, err := Dearmour([]byte(variant))
		if err != nil || !bytes.Equal(got, sealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var groupSpaces = regexp.MustCompile(`([0-9A-Z]{8}) `)

func TestArmourLocatesDamage(t *testing.T) {
	sealed := read(t, "v1-owner.sealed")
	lines := armourOf(t, sealed)
	last := len(lines) - 2
	damage := func(f func(l []string) []string) []byte { return join(f(slices.Clone(lines))) }
	alter := func(l []string, number int) {
		c := byte('Z')
		if l[number][10] == c {
			c = 'Y'
		}
		l[number] = l[number][:10] + string(c) + l[number][11:]
	}
	swapContent := func(l []string, a, b int) {
		l[a], l[b] = l[a][:3]+l[b][3:], l[b][:3]+l[a][3:]
	}
	for name, c := range map[string]struct {
		text []byte
		want ArmourError
		says string
	}{
		"one letter":     {damage(func(l []string) []string { alter(l, 7); return l }), ArmourError{LineDamaged, 7, nil}, "line 7 "},
		"two lines":      {damage(func(l []string) []string { alter(l, 7); alter(l, 9); return l }), ArmourError{LineDamaged, 7, []int{9}}, "another is"},
		"missing":        {damage(func(l []string) []string { return slices.Delete(l, 12, 13) }), ArmourError{LineMissing, 12, nil}, "line 12 "},
		"many missing":   {damage(func(l []string) []string { return slices.Delete(l, 12, 15) }), ArmourError{LineMissing, 12, []int{13, 14}}, "2 more"},
		"cut line":       {damage(func(l []string) []string { l[3] = l[3][:30]; return l }), ArmourError{LineDamaged, 3, nil}, "line 3 "},
		"number only":    {damage(func(l []string) []string { l[3] = l[3][:3]; return l }), ArmourError{LineDamaged, 3, nil}, "line 3 "},
		"swapped":        {damage(func(l []string) []string { swapContent(l, 4, 5); return l }), ArmourError{LineDamaged, 4, []int{5}}, "line 4 "},
		"last line":      {damage(func(l []string) []string { alter(l, last); return l }), ArmourError{LineDamaged, last, nil}, fmt.Sprintf("line %d ", last)},
		"end missing":    {damage(func(l []string) []string { return l[:last+1] }), ArmourError{EndMissing, 0, nil}, "last line"},
		"end cut":        {damage(func(l []string) []string { l[last+1] = armourEnd; return l }), ArmourError{EndMissing, 0, nil}, "last line"},
		"end altered":    {damage(func(l []string) []string { l[last+1] = l[last+1][:40] + "0000"; return l }), ArmourError{TotalDamaged, 0, nil}, "together"},
		"cut in half":    {damage(func(l []string) []string { return l[:3] }), ArmourError{LineMissing, 3, numbers(4, last)}, "line 3 "},
		"header count":   {damage(func(l []string) []string { l[0] = armourBegin + " V1 LINES x"; return l }), ArmourError{HeaderDamaged, 0, nil}, "first line"},
		"header huge":    {damage(func(l []string) []string { l[0] = armourBegin + " V1 LINES 99999999"; return l }), ArmourError{HeaderDamaged, 0, nil}, "first line"},
		"header cut":     {damage(func(l []string) []string { l[0] = armourBegin; return l }), ArmourError{HeaderDamaged, 0, nil}, "first line"},
		"header version": {damage(func(l []string) []string { l[0] = armourBegin + " VX LINES 69"; return l }), ArmourError{HeaderDamaged, 0, nil}, "first line"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckArmour(c.text)
			var got *ArmourError
			if !errors.As(err, &got) || !errors.Is(err, ErrArmour) {
				t.Fatalf("got %v", err)
			}
			if got.Problem != c.want.Problem || got.Line != c.want.Line || !slices.Equal(got.Others, c.want.Others) {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("it does not say %q: %v", c.says, err)
			}
			if _, openErr := Open(c.text, passphrase); !errors.Is(openErr, ErrArmour) {
				t.Errorf("opening it: %v", openErr)
			}
		})
	}
}

func numbers(from, to int) []int {
	var out []int
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

// TestArmourAlteredCharacters allows what reads the same, and nothing else.
func TestArmourAlteredCharacters(t *testing.T) {
	sealed := read(t, "v1-owner.sealed")
	text := join(armourOf(t, sealed))
	located := 0
	for i := 0; i < len(text); i += 3 { // every third: the race detector makes this slow
		altered := bytes.Clone(text)
		altered[i] = 'X'
		if text[i] == 'X' {
			altered[i] = 'Y'
		}
		got, err := Dearmour(altered)
		if err == nil && !bytes.Equal(got, sealed) {
			t.Fatalf("character %d altered: another manifest came out", i)
		}
		var armour *ArmourError
		if errors.As(err, &armour) && armour.Line > 0 {
			located++
			if line := bytes.Count(text[:i], []byte("\n")); armour.Line != line && armour.Line != line+1 {
				t.Fatalf("character %d is in line %d, and line %d is blamed", i, line, armour.Line)
			}
		}
	}
	if located < len(text)/3*9/10 {
		t.Errorf("only %d of %d alterations were located", located, len(text)/3)
	}
}

func TestArmourOfAnotherKind(t *testing.T) {
	lines := armourOf(t, read(t, "v1-owner.sealed"))
	lines[0] = strings.Replace(lines[0], "V1", "V2", 1)
	if err := CheckArmour(join(lines)); !errors.Is(err, ErrVersion) {
		t.Errorf("future version: %v", err)
	}
	for _, s := range []string{"", "hello", "END HIDDEN BACKUP MANIFEST V1 CHECK 0", strings.Repeat("a", maxInput+1)} {
		if err := CheckArmour([]byte(s)); !errors.Is(err, ErrNotManifest) {
			t.Errorf("%.20q: %v", s, err)
		}
	}
	// A whole armour of something that is not a manifest's size.
	short := []byte("thirty bytes or fewer")
	text := fmt.Sprintf("%s V1 LINES 1\n001 %s %s\n%s V1 CHECK %s\n", armourBegin,
		crockford.EncodeToString(short), lineCheck(1, short), armourEnd, totalCheck(short))
	if err := CheckArmour([]byte(text)); !errors.Is(err, ErrNotManifest) {
		t.Errorf("a whole armour of 21 bytes: %v", err)
	}
}

func FuzzArmour(f *testing.F) {
	text := read(f, "v1-owner.txt")
	f.Add(text)
	f.Add(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n> ")))
	f.Add(text[:1000])
	f.Add([]byte(armourBegin + " V1 LINES 4370\n4370 \n" + armourEnd))
	f.Fuzz(func(t *testing.T, data []byte) {
		sealed, err := Dearmour(data)
		if err != nil {
			if errors.Is(err, ErrArmour) == errors.Is(err, ErrNotManifest) && !errors.Is(err, ErrVersion) {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		again, err := Armour(sealed)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Dearmour(again); err != nil || !bytes.Equal(back, sealed) {
			t.Fatalf("armour is not stable: %v", err)
		}
	})
}
