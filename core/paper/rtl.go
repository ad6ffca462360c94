package paper

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
)

// A PDF is told where each letter goes, and the PDF writer knows neither scripts that run from
// right to left nor letters that join. This is the little of it that a line or two by the owner
// needs: order, and the joined forms of Arabic and Persian. Vowel signs are left out.

// visual is a line in the order and with the forms in which it is printed, from left to right,
// and whether it belongs at the right edge.
func visual(line string) (shown string, rightToLeft bool) {
	var p bidi.Paragraph
	if _, err := p.SetString(line); err != nil {
		return line, false
	}
	order, err := p.Order()
	if err != nil {
		return line, false
	}
	var runs []string
	for i := range order.NumRuns() {
		run := order.Run(i)
		s := run.String()
		if run.Direction() == bidi.RightToLeft {
			if i == 0 {
				rightToLeft = true
			}
			s = bidi.ReverseString(join(s))
		}
		runs = append(runs, s)
	}
	if rightToLeft {
		for i, j := 0, len(runs)-1; i < j; i, j = i+1, j-1 {
			runs[i], runs[j] = runs[j], runs[i]
		}
	}
	return strings.Join(runs, ""), rightToLeft
}

// joined holds, for each letter, where its forms begin in Unicode (alone, at the end, at the
// beginning, in the middle) and how many it has: with two it does not join the next letter.
var joined = map[rune]struct {
	first rune
	forms int
}{
	'ء': {0xFE80, 1}, 'آ': {0xFE81, 2}, 'أ': {0xFE83, 2}, 'ؤ': {0xFE85, 2}, 'إ': {0xFE87, 2}, 'ئ': {0xFE89, 4},
	'ا': {0xFE8D, 2}, 'ب': {0xFE8F, 4}, 'ة': {0xFE93, 2}, 'ت': {0xFE95, 4}, 'ث': {0xFE99, 4}, 'ج': {0xFE9D, 4},
	'ح': {0xFEA1, 4}, 'خ': {0xFEA5, 4}, 'د': {0xFEA9, 2}, 'ذ': {0xFEAB, 2}, 'ر': {0xFEAD, 2}, 'ز': {0xFEAF, 2},
	'س': {0xFEB1, 4}, 'ش': {0xFEB5, 4}, 'ص': {0xFEB9, 4}, 'ض': {0xFEBD, 4}, 'ط': {0xFEC1, 4}, 'ظ': {0xFEC5, 4},
	'ع': {0xFEC9, 4}, 'غ': {0xFECD, 4}, 'ف': {0xFED1, 4}, 'ق': {0xFED5, 4}, 'ك': {0xFED9, 4}, 'ل': {0xFEDD, 4},
	'م': {0xFEE1, 4}, 'ن': {0xFEE5, 4}, 'ه': {0xFEE9, 4}, 'و': {0xFEED, 2}, 'ى': {0xFEEF, 2}, 'ي': {0xFEF1, 4},
	'پ': {0xFB56, 4}, 'چ': {0xFB7A, 4}, 'ژ': {0xFB8A, 2}, 'ک': {0xFB8E, 4}, 'گ': {0xFB92, 4}, 'ی': {0xFBFC, 4},
}

// lamAlef are the two letters that become one.
var lamAlef = map[rune]rune{'آ': 0xFEF5, 'أ': 0xFEF7, 'إ': 0xFEF9, 'ا': 0xFEFB}

// join puts the letters of a run, in the order in which they are read, into their joined forms.
func join(s string) string {
	var in []rune
	for _, r := range s {
		if !unicode.Is(unicode.Mn, r) {
			in = append(in, r)
		}
	}
	var out []rune
	before := false // the letter before reaches out to this one
	for i := 0; i < len(in); i++ {
		letter, ok := joined[in[i]]
		if !ok {
			out = append(out, in[i])
			before = in[i] == 'ـ' // the line that only joins
			continue
		}
		form := letter.first
		if before && letter.forms > 1 {
			form++
		}
		if i+1 < len(in) {
			if both, ok := lamAlef[in[i+1]]; ok && in[i] == 'ل' {
				out = append(out, both+form-letter.first)
				before = false
				i++
				continue
			}
		}
		before = letter.forms == 4 && i+1 < len(in) && (joined[in[i+1]].forms > 1 || in[i+1] == 'ـ')
		if before {
			form += 2
		}
		out = append(out, form)
	}
	return string(out)
}
