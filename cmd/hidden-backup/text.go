package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// shown makes a path safe for a terminal: bytes that are not printable text
// are quoted, so that a file name cannot move the cursor or forge a line.
func shown(path string) string {
	if utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return path
	}
	return strconv.Quote(path)
}

// size prints bytes as people read them: decimal units, as file managers do.
func size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 999.95 && i < len(units)-1 {
		v /= 1000
		i++
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
}

// count prints a number with thousands separated.
func count[T ~int | ~int64 | ~uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// clock prints a duration as h:mm:ss or m:ss.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func plural[T ~int | ~int64 | ~uint64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// sentence makes an error's text one.
func sentence(s string) string {
	s = sentenceStart(s)
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// sentenceStart makes the first letter a capital.
func sentenceStart(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// parseDays reads a duration with days and weeks: 12h, 7d, 2w. At least a minute.
func parseDays(s string) (time.Duration, error) {
	day := map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	wrong := fmt.Errorf("%q is not a time span such as 12h, 7d or 2w", s)
	var span time.Duration
	if s == "" {
		return 0, wrong
	}
	if unit, ok := day[s[len(s)-1:]]; ok {
		n, err := strconv.Atoi(s[:len(s)-1])
		if err != nil || n > 10_000 {
			return 0, wrong
		}
		span = time.Duration(n) * unit
	} else if d, err := time.ParseDuration(s); err == nil {
		span = d
	}
	if span < time.Minute {
		return 0, wrong
	}
	return span, nil
}

// parseRate reads bytes a second with an optional unit: 300k, 2M, 1Mi.
func parseRate(s string) (int64, error) {
	n, err := parseSize(strings.TrimSuffix(s, "/s"))
	if err != nil || s != "" && n <= 0 {
		return 0, fmt.Errorf("%q is not a rate; write bytes a second, as 500k or 2M", s)
	}
	return n, nil
}

func parseSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	digits := strings.TrimRight(s, "kKMGTiB")
	factor := int64(1)
	unit := strings.TrimSuffix(s[len(digits):], "B")
	base := int64(1000)
	if strings.HasSuffix(unit, "i") {
		base, unit = 1024, strings.TrimSuffix(unit, "i")
	}
	switch strings.ToUpper(unit) {
	case "":
	case "K":
		factor = base
	case "M":
		factor = base * base
	case "G":
		factor = base * base * base
	case "T":
		factor = base * base * base * base
	default:
		return 0, fmt.Errorf("%q is not a size", s)
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(v >= 0 && v*float64(factor) <= 1<<62) { // NaN is neither
		return 0, fmt.Errorf("%q is not a size", s)
	}
	return int64(v * float64(factor)), nil
}

func printJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}

func isUnknownCommand(err error) bool { return strings.HasPrefix(err.Error(), "unknown command ") }
