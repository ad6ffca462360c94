package ui_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"hiddenbackup/ui/uitest"
)

// Long words in German, right to left in Arabic and Farsi, large text: nothing
// is cut off, and everything that acts has a name. The first page is looked at
// in every language, and further ones in those that differ most.
func TestPagesInEveryLanguage(t *testing.T) {
	uitest.Require(t)
	for locale, further := range map[string]bool{
		"ar_EG": true, "de_DE": true, "es_ES": false, "fa_IR": false, "fr_FR": false, "pt_BR": false, "ru_RU": true, "zh_CN": false,
	} {
		t.Run(locale, func(t *testing.T) {
			say := catalogue(t, locale)
			w := start(t, uitest.Options{Home: t.TempDir(), Locale: locale, TextScale: 1.5, Dark: further})
			page := func(name string, see ...string) {
				for _, text := range see {
					w.See(say(text))
				}
				w.CheckPage()
				w.Shot(name)
			}
			page("home", "Back Up Before a Journey")
			if !further {
				return
			}
			w.Press(say("Back Up Before a Journey"))
			page("start", "Make a New Backup")
			w.Press(say("Make a New Backup"))
			page("join", "Where Shall Your Files Wait?")
			w.Press(say("Back"))
			w.Press(say("Back"))
			w.Press(say("Restore After a Journey"))
			page("unlock", "Manifest")
		})
	}
}

var entry = regexp.MustCompile(`(?m)^msgid ((?:"(?:[^"\\]|\\.)*"\n)+)msgstr ((?:"(?:[^"\\]|\\.)*"\n)+)`)

// catalogue puts the translation where the window looks for it first, and
// returns what it says for a message.
func catalogue(t *testing.T, locale string) (say func(message string) string) {
	t.Helper()
	language := locale
	if _, err := os.Stat("../po/" + language + ".po"); err != nil {
		language, _, _ = strings.Cut(locale, "_")
	}
	po := "../po/" + language + ".po"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(filepath.Dir(self), "locale")
	dir := filepath.Join(root, language, "LC_MESSAGES")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	if out, err := exec.Command("msgfmt", "-o", filepath.Join(dir, "hidden-backup.mo"), po).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(po)
	if err != nil {
		t.Fatal(err)
	}
	translations := make(map[string]string)
	for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
		translations[plain(t, m[1])] = plain(t, m[2])
	}
	return func(message string) string {
		t.Helper()
		translated, ok := translations[message]
		if !ok {
			t.Fatalf("%s has no %q", po, message)
		}
		return translated
	}
}

// plain joins the lines of a message, and takes the mark of the keyboard letter away.
func plain(t *testing.T, lines string) string {
	t.Helper()
	var all strings.Builder
	for line := range strings.Lines(lines) {
		text, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(text)
	}
	return strings.ReplaceAll(all.String(), "_", "")
}
