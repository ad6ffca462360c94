package ui_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

var label = regexp.MustCompile(`<property name="label" translatable="yes">([^<]*_[^<]*)</property>`)

// Two buttons of one page with one letter: Alt and that letter presses neither,
// it only walks between them. The window's own buttons are on every page.
func TestEachLetterIsOnAPageOnce(t *testing.T) {
	pages, err := filepath.Glob("../assets/ui/*.ui")
	if err != nil || len(pages) < 20 {
		t.Fatalf("there are %d pages: %v", len(pages), err)
	}
	labels := func(page string) (list []string) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range label.FindAllStringSubmatch(string(text), -1) {
			list = append(list, strings.ReplaceAll(m[1], "&amp;", "&"))
		}
		return list
	}
	catalogues, err := filepath.Glob("../po/*.po")
	if err != nil || len(catalogues) < 8 {
		t.Fatalf("there are %d languages: %v", len(catalogues), err)
	}
	for _, po := range append(catalogues, "") {
		say := translations(t, po)
		for _, page := range pages {
			all := labels(page)
			if filepath.Base(page) != "window.ui" {
				all = append(all, labels("../assets/ui/window.ui")...)
			}
			taken := make(map[rune]string)
			for _, message := range all {
				text, ok := say[message]
				if !ok {
					text = message
				}
				letter := mnemonic(text)
				if letter == 0 {
					t.Errorf("%s: %q has no letter on %s", po, text, filepath.Base(page))
				} else if other, ok := taken[letter]; ok && other != text {
					t.Errorf("%s: %q and %q share the letter %c on %s", po, other, text, letter, filepath.Base(page))
				}
				taken[letter] = text
			}
		}
	}
}

func mnemonic(text string) rune {
	_, after, found := strings.Cut(text, "_")
	if !found || after == "" {
		return 0
	}
	return unicode.ToLower([]rune(after)[0])
}

// translations are the messages of a catalogue as they stand in it; none of "".
func translations(t *testing.T, po string) map[string]string {
	t.Helper()
	list := make(map[string]string)
	if po == "" {
		return list
	}
	text, err := os.ReadFile(po)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
		var both [2]strings.Builder
		for i := range both {
			for line := range strings.Lines(m[1+i]) {
				part, err := strconv.Unquote(strings.TrimSpace(line))
				if err != nil {
					t.Fatal(err)
				}
				both[i].WriteString(part)
			}
		}
		list[both[0].String()] = both[1].String()
	}
	return list
}
