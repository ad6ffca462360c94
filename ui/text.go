package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hiddenbackup/ui/internal/gettext"
)

// domain names the catalogue of translations.
const domain = "hidden-backup"

// T translates a message: a literal here, or a sentence of core, which are
// extracted as well.
func T(message string) string { return gettext.T(message) }

// N translates a message with a number, which the caller puts in.
func N[I ~int | ~int64 | ~uint64](one, many string, n I) string {
	return gettext.N(one, many, int64(n))
}

// X translates a message that means something else elsewhere.
func X(context, message string) string { return gettext.X(context, message) }

// shown makes a name or path safe to look at: what is not printable text is
// quoted, so that a file name cannot pretend to be something else.
func shown(path string) string { return apart(safe(path)) }

func safe(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return path
	}
	return strconv.Quote(path)
}

// short is shown with at most n letters; the end of a path says most.
func short(path string, n int) string {
	s := []rune(safe(path))
	if len(s) <= n {
		return apart(string(s))
	}
	return apart("…" + string(s[len(s)-n+1:]))
}

// size prints bytes as file managers do, in decimal units, as the language
// writes them.
func size[I ~int64 | ~uint64](n I) string {
	if n < 1000 {
		return fmt.Sprintf(N("%d byte", "%d bytes", n), n)
	}
	units := []string{T("%s kB"), T("%s MB"), T("%s GB"), T("%s TB"), T("%s PB"), T("%s EB")}
	v, i := float64(n)/1000, 0
	for v >= 999.95 && i < len(units)-1 {
		v /= 1000
		i++
	}
	return fmt.Sprintf(units[i], strings.Replace(strconv.FormatFloat(v, 'f', 1, 64), ".", X("decimal point", "."), 1))
}

// count prints a number with its thousands apart.
func count[I ~int | ~int64 | ~uint64](n I) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// files says how many.
func files[I ~int | ~int64 | ~uint64](n I) string {
	return fmt.Sprintf(N("%s file", "%s files", n), count(n))
}

// span says how long something takes, rounded as people round.
func span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 1:
		return T("less than a second")
	case s < 60:
		return fmt.Sprintf(N("%d second", "%d seconds", s), s)
	case s < 2*3600:
		return fmt.Sprintf(N("%d minute", "%d minutes", (s+30)/60), (s+30)/60)
	}
	return fmt.Sprintf(N("%d hour", "%d hours", (s+1800)/3600), (s+1800)/3600)
}

// moment is a point in time as Tails shows it, with 24 hours.
func moment(t time.Time) string { return apart(t.Local().Format("2006-01-02 15:04")) }

// day is a date.
func day(t time.Time) string { return apart(t.Local().Format(time.DateOnly)) }

// lines joins the sentences that are there.
func lines(sentences ...string) string {
	var there []string
	for _, s := range sentences {
		if s != "" {
			there = append(there, s)
		}
	}
	return strings.Join(there, "\n")
}

// capital makes the first letter large.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
