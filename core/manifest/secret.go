package manifest

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"io"
	"log/slog"
	"unicode"
	"unicode/utf8"
	"unique"
)

const (
	redacted   = "[redacted]"
	secretSize = 32
)

// base32Lower is how Tahoe and Tor write keys. The manifest writes its own secrets the same
// way: one alphabet for everything random is what makes the sealed form compress well.
var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Secret is 32 secret bytes. It prints redacted in every way and has no marshaler; the zero
// value means that there is none. Two are equal (==) if their bytes are.
type Secret struct {
	// 32 bytes behind a handle, because fmt reads the unexported fields of other structs
	// without asking Format, and then prints the handle's address. Of a string, because a verb
	// that does not fit (%t) makes fmt follow a pointer to an array or a struct.
	h unique.Handle[string]
}

// NewSecret draws a secret from random, or from crypto/rand if that is nil.
func NewSecret(random io.Reader) (Secret, error) {
	if random == nil {
		random = rand.Reader
	}
	b := make([]byte, secretSize)
	defer wipe(b)
	if _, err := io.ReadFull(random, b); err != nil {
		return Secret{}, fmt.Errorf("drawing a secret: %w", err)
	}
	return SecretFromBytes(b)
}

// SecretFromBytes copies 32 bytes that are not all zero.
func SecretFromBytes(b []byte) (Secret, error) {
	if len(b) != secretSize {
		return Secret{}, invalid("a secret must be 32 bytes long")
	}
	if bytes.Equal(b, make([]byte, secretSize)) {
		return Secret{}, invalid("a secret is all zero")
	}
	return Secret{unique.Make(string(b))}, nil
}

// Bytes reveals a copy of the secret, 32 bytes, for the caller to wipe; zeros if there is none.
func (s Secret) Bytes() []byte {
	b := make([]byte, secretSize)
	if !s.IsZero() {
		copy(b, s.h.Value())
	}
	return b
}

// Base32 reveals the secret as Tahoe's private files and the plain form hold it: lower case, unpadded.
func (s Secret) Base32() string {
	b := s.Bytes()
	defer wipe(b)
	return base32Lower.EncodeToString(b)
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s == Secret{} }

// Format prints the same redacted text for every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// String is redacted.
func (s Secret) String() string { return redacted }

// LogValue is redacted.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

func parseSecret(field, s string) (Secret, error) {
	b, err := base32Lower.DecodeString(s)
	// The decoder ignores line breaks and the four spare bits, so two texts could mean one secret.
	if err != nil || len(b) != secretSize || base32Lower.EncodeToString(b) != s {
		return Secret{}, invalid("%s must be 52 letters a-z or digits 2-7 (base32 of 32 bytes)", field)
	}
	defer wipe(b)
	secret, err := SecretFromBytes(b)
	if err != nil {
		return Secret{}, fmt.Errorf("%s: %w", field, err)
	}
	return secret, nil
}

func wipe(b []byte) { clear(b) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// text checks what a person will read: its length in bytes, and that nothing in it hides,
// reorders or breaks the line it is shown on.
func text(what, s string, shortest, longest int) error {
	if len(s) < shortest {
		return invalid("%s is missing", what)
	}
	if len(s) > longest {
		return invalid("%s is longer than %d bytes", what, longest)
	}
	if !utf8.ValidString(s) {
		return invalid("%s is not valid UTF-8, so a manifest cannot hold it", what)
	}
	for _, r := range s {
		switch {
		case r == utf8.RuneError:
			// What encoding/json leaves where an escape was half a surrogate pair.
			return invalid("%s holds a character that stands for a broken one", what)
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return invalid("%s holds a control character", what)
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return invalid("%s holds a character that reverses the direction of writing", what)
		}
	}
	return nil
}
