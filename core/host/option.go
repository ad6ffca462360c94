package host

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Type is what values of an option look like.
type Type string

// The types.
const (
	Switch Type = "switch" // on or off
	Text   Type = "text"   // a line of at most 128 bytes
	Size   Type = "size"   // bytes, as 10G
	Days   Type = "days"   // a number or "never"
	Port   Type = "port"
)

const maxText = 128

// canonical returns the value as it is stored, or why it is none.
func (o *Option) canonical(value string) (string, error) {
	value = strings.TrimSpace(value)
	lower := strings.ToLower(value)
	switch o.Type {
	case Switch:
		switch lower {
		case "on", "true", "yes", "1":
			return "on", nil
		case "off", "false", "no", "0":
			return "off", nil
		}
		return "", o.wrong(value, "on or off")
	case Text:
		return value, checkLine(value, 0)
	case Size:
		_, err := parseSize(value)
		if err != nil {
			return "", o.wrong(value, "a size such as 500M, 10G or 1T")
		}
		return strings.TrimSuffix(strings.ReplaceAll(value, " ", ""), "B"), nil
	case Days:
		if lower == "never" {
			return lower, nil
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < o.Least || n > o.Most {
			return "", o.wrong(value, fmt.Sprintf("a number of days from %d to %d, or never", o.Least, o.Most))
		}
		return strconv.FormatInt(n, 10), nil
	case Port:
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil || n == 0 {
			return "", o.wrong(value, "a port from 1 to 65535")
		}
		return strconv.FormatUint(n, 10), nil
	}
	return "", fmt.Errorf("%w: its type %q is unknown", ErrOption, o.Type)
}

func (o *Option) wrong(value, want string) error {
	return fmt.Errorf("%w: %s must be %s, not %q", ErrOption, o.Name, want, value)
}

// checkLine keeps out what would hide, break or turn around the line it is shown on.
func checkLine(text string, least int) error {
	switch {
	case len(text) < least:
		return fmt.Errorf("%w: it is empty", ErrOption)
	case len(text) > maxText:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrOption, maxText)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: it has characters that cannot be printed", ErrOption)
	}
	return nil
}

// parseSize reads bytes with a decimal unit: "20G", and as people write it, "20 GB".
func parseSize(text string) (int64, error) {
	factor := int64(1)
	digits := strings.TrimSuffix(text, "B")
	if n := len(digits); n > 0 {
		if i := strings.IndexByte("kMGT", digits[n-1]); i >= 0 {
			digits = strings.TrimSpace(digits[:n-1])
			for range i + 1 {
				factor *= 1000
			}
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/4/factor {
		return 0, fmt.Errorf("%w: %q is not a size", ErrOption, text)
	}
	return n * factor, nil
}

// values are the options as they are: set, or by default. They are canonical.
type values map[string]string

func (v values) on(name string) bool { return v[name] == "on" }

// number is 0 for "never", and for an option the service does not have.
func (v values) number(name string) int {
	n, _ := strconv.Atoi(v[name])
	return n
}

func (v values) size(name string) int64 {
	n, _ := parseSize(v[name])
	return n
}
