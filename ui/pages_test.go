package ui_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hiddenbackup/ui/uitest"
)

// tour is a walk over all pages, in one language.
type tour struct {
	*uitest.Window
	t     *testing.T
	tr    *traveller
	say   func(message string) string
	latin map[string]bool // words in Latin letters that stand in no Latin text, too; nil: that is Latin
}

// All pages from left to right and from right to left, on light and dark screens
// and one of high contrast, in common and in large letters. Nothing is cut, empty,
// without a name or drawn over something else, and nothing is left in English for
// somebody who reads Arabic.
func TestEveryPageInEnglishAndArabic(t *testing.T) {
	looks := []struct {
		name   string
		screen uitest.Options
	}{
		{"english-light", uitest.Options{}},
		{"english-dark-150", uitest.Options{Dark: true, TextScale: 1.5}},
		{"english-contrast", uitest.Options{HighContrast: true}},
		{"arabic-light", uitest.Options{Locale: "ar_EG"}},
		{"arabic-dark-150", uitest.Options{Locale: "ar_EG", Dark: true, TextScale: 1.5}},
	}
	for _, look := range looks {
		t.Run(look.name, func(t *testing.T) {
			needGrid(t)
			tr := &traveller{t: t, home: t.TempDir(), files: journey}
			o := &tour{t: t, tr: tr, say: func(message string) string { return strings.ReplaceAll(message, "_", "") }}
			if look.screen.Locale != "" {
				o.say = catalogue(t, look.screen.Locale)
				o.latin = latinWords(t, "../po/ar.po")
			}
			look.screen.Home = tr.home
			tr.write(map[string]string{
				"Documents/contacts.vcf":    "BEGIN:VCARD\nFN:Anna\nEND:VCARD\n",
				"Documents/story/chapter 1": strings.Repeat("It was a dark night. ", 10_000),
				".config/user-dirs.dirs":    "XDG_DOCUMENTS_DIR=\"$HOME/Documents\"\n",
				"Documents/story/film":      noise(24),
			})
			o.Window = start(t, look.screen)
			o.all()
		})
	}
}

// all goes from page to page.
func (o *tour) all() {
	say := o.say
	o.page("home", "Back Up Before a Journey")
	o.press("Practice on This Computer")
	o.page("practice", "Practice a Backup")
	o.back()
	o.press("Lend Space")
	o.See(say("It is off."))
	o.page("lend", "People You Invited")
	o.back()

	o.press("Back Up Before a Journey")
	o.page("start", "Make a New Backup")
	o.press("Make a New Backup")
	o.page("join", "Where Shall Your Files Wait?")
	o.Type(say("Invites, Description or Addresses of the Grid"), description(o.t))
	o.press("Next")
	o.page("folders", "What Shall Come Back?")
	o.press("Next")
	o.page("passphrase", "Your Passphrase")
	words := generated(o.t, o.Window)
	o.press("I Know It")
	o.page("typeback", "Type It From Memory")
	o.Type(say("Passphrase, From Memory"), words)
	o.press("Make the Manifest")
	o.page("share", "Give the Manifest to People You Trust")
	o.press("Show the QR Code")
	o.page("code", "QR Code of the Manifest")
	o.back()
	file := filepath.Join(o.t.TempDir(), "my.manifest")
	o.press("Save the File…")
	o.SaveFile(file, say("Save"))
	o.usable("Next") // it is saved
	o.page("saved", "Give the Manifest to People You Trust")
	o.press("Next")
	o.page("grid", "Back Up Now")
	o.usable("Back Up Now")
	o.page("grid-servers", "Back Up Now")
	o.press("Back Up Now")
	o.page("progress", "What is done is kept.")
	o.page("report", "The snapshot and its list of files were read back and compared. The servers confirmed every pack that it needs.")
	o.press("Home")

	o.press("Ready to Wipe?")
	o.usable("Look Again")
	o.page("ready", "A point is green only with a dated proof.")
	o.ScrollDown()
	o.Shot("ready-below")
	o.press("Note a Holder…")
	o.page("holder", "Note It")
	o.back()
	o.back()
	o.press("Check My Backup")
	o.page("check", "Is Everything Still There?")
	o.press("Next")
	o.page("check-grid", "Check Now")
	o.press("Check Now")
	o.page("check-report", "Home")
	o.press("Home")
	o.press("Rehearse a Restore")
	o.page("rehearse", "Rehearse the Restore")
	o.press("Next")
	o.page("rehearse-unlock", "Unlock")
	o.back()
	o.back()
	o.press("Share the Manifest")
	o.page("share-again", "Give the Manifest to People You Trust")
	o.press("Home")

	o.press("Lock")
	o.press("Restore After a Journey")
	o.page("unlock", "Unlock")
	if x := o.Focused(); x == nil || x.Name != say("Choose the Manifest File") {
		o.t.Errorf("the keyboard does not begin at the beginning, but at %+v", x)
	}
	o.press("Choose the Manifest File")
	o.ChooseFile(file, say("Open"))
	o.See("my.manifest")
	o.Type(say("Passphrase"), words)
	o.page("unlock-found", "Unlock")
	o.press("Unlock")
	o.page("restoresnapshot", "Which snapshot do you want back?")
	o.press("Next")
	o.See(say("Folders and Files"))
	o.page("restorewhat", "What do you want back?")
	o.press("Next")
	o.page("restorewhere", "Where should it go?")
	o.press("Next")
	o.page("restoreready", "This is what will happen")
	o.press("Restore")
	o.page("restore-report", "Home")

	o.press("Lock")
	o.press("Restore After a Journey")
	o.press("Choose the Manifest File")
	nowhere := filepath.Join(o.t.TempDir(), "nowhere.manifest")
	if err := os.WriteFile(nowhere, sealedReader(o.t), 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.ChooseFile(nowhere, say("Open"))
	o.See("nowhere.manifest")
	o.Type(say("Passphrase"), passphrase)
	o.press("Unlock")
	o.page("restoreconnect", "Nothing is changed while you look. You can go back at any time.")
}

func (o *tour) press(message string) { o.t.Helper(); o.Press(o.say(message)) }

// usable waits until a button can be pressed: then a page shows all it has to.
func (o *tour) usable(message string) {
	o.t.Helper()
	o.Until(message+" can be pressed", func() bool {
		return slices.ContainsFunc(o.Shown(), func(x *uitest.Widget) bool {
			return x.Role == uitest.Button && x.Name == o.say(message) && x.Sensitive()
		})
	})
}

func (o *tour) back() { o.t.Helper(); o.press("Back") }

// page waits for a page by something that only it shows, and looks at it.
func (o *tour) page(name, message string) {
	o.t.Helper()
	o.See(o.say(message))
	o.CheckPage()
	o.CheckLook()
	o.Shot(name)
	if o.latin == nil {
		return
	}
	for _, x := range o.Shown() {
		if x.Role == uitest.Frame || x.Role == uitest.TableCell {
			continue
		}
		for _, word := range latinWord.FindAllString(x.Name, -1) {
			if !o.latin[strings.ToLower(word)] && !o.given(x.Name, word) {
				o.t.Errorf("%s: %q is not translated in %q", name, word, x.Name)
			}
		}
	}
}

// given reports whether a word in a text is no word of the window's: it is a
// name of hers or of the grid's, or belongs to a passphrase or to the four words
// of a manifest, which are English everywhere.
func (o *tour) given(text, word string) bool {
	if words := strings.Fields(text[strings.LastIndex(text, ":")+1:]); len(words) == 4 || len(words) == 7 {
		if slices.Contains(words, word) && strings.ToLower(word) == word {
			return true
		}
	}
	names := []string{"documents", "contacts", "story", "chapter", "film", "manifest", "practice", "this", "computer", "node", "nowhere"}
	return strings.Contains(o.tr.home, word) || slices.Contains(names, strings.ToLower(word))
}

var latinWord = regexp.MustCompile(`[A-Za-z]{3,}`)

// latinWords are those that the translation itself leaves in Latin letters.
func latinWords(t *testing.T, po string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(po)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
		for _, word := range latinWord.FindAllString(plain(t, m[2]), -1) {
			found[strings.ToLower(word)] = true
		}
	}
	if len(found) == 0 {
		t.Fatal(fmt.Errorf("%s was not read", po))
	}
	return found
}
