package tahoeclient

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// Kind says what a capability points at and how much it allows.
type Kind uint8

// The kinds of capability that Tahoe-LAFS 1.20 knows.
const (
	KindNone Kind = iota // no capability: the zero Cap
	KindLIT              // a file of up to 55 bytes, held in the capability itself
	KindCHK              // an immutable file
	KindCHKVerifier
	KindSSK // a mutable file, SDMF
	KindSSKRO
	KindSSKVerifier
	KindMDMF // a mutable file, MDMF
	KindMDMFRO
	KindMDMFVerifier
	KindDir2 // a mutable directory, SDMF
	KindDir2RO
	KindDir2Verifier
	KindDir2MDMF // a mutable directory, MDMF
	KindDir2MDMFRO
	KindDir2MDMFVerifier
	KindDir2CHK // an immutable directory
	KindDir2CHKVerifier
	KindDir2LIT // an immutable directory held in the capability itself
)

// form is the grammar of the text behind "URI:NAME:".
type form uint8

const (
	formLIT  form = iota + 1 // data
	formCHK                  // key : hash : needed : total : size
	formSSK                  // key : fingerprint
	formMDMF                 // key : fingerprint, and perhaps hints
)

type power uint8

const (
	powerVerify power = iota + 1
	powerRead
	powerWrite
)

// kinds describes each kind. read and verify are the kinds that ReadOnly and
// Verifier turn it into; KindNone where there is none.
var kinds = [...]struct {
	name         string
	form         form
	power        power
	mutable      bool
	directory    bool
	read, verify Kind
}{
	KindNone:             {name: "none"},
	KindLIT:              {"LIT", formLIT, powerRead, false, false, KindLIT, KindNone},
	KindCHK:              {"CHK", formCHK, powerRead, false, false, KindCHK, KindCHKVerifier},
	KindCHKVerifier:      {"CHK-Verifier", formCHK, powerVerify, false, false, KindNone, KindCHKVerifier},
	KindSSK:              {"SSK", formSSK, powerWrite, true, false, KindSSKRO, KindSSKVerifier},
	KindSSKRO:            {"SSK-RO", formSSK, powerRead, true, false, KindSSKRO, KindSSKVerifier},
	KindSSKVerifier:      {"SSK-Verifier", formSSK, powerVerify, true, false, KindNone, KindSSKVerifier},
	KindMDMF:             {"MDMF", formMDMF, powerWrite, true, false, KindMDMFRO, KindMDMFVerifier},
	KindMDMFRO:           {"MDMF-RO", formMDMF, powerRead, true, false, KindMDMFRO, KindMDMFVerifier},
	KindMDMFVerifier:     {"MDMF-Verifier", formMDMF, powerVerify, true, false, KindNone, KindMDMFVerifier},
	KindDir2:             {"DIR2", formSSK, powerWrite, true, true, KindDir2RO, KindDir2Verifier},
	KindDir2RO:           {"DIR2-RO", formSSK, powerRead, true, true, KindDir2RO, KindDir2Verifier},
	KindDir2Verifier:     {"DIR2-Verifier", formSSK, powerVerify, true, true, KindNone, KindDir2Verifier},
	KindDir2MDMF:         {"DIR2-MDMF", formMDMF, powerWrite, true, true, KindDir2MDMFRO, KindDir2MDMFVerifier},
	KindDir2MDMFRO:       {"DIR2-MDMF-RO", formMDMF, powerRead, true, true, KindDir2MDMFRO, KindDir2MDMFVerifier},
	KindDir2MDMFVerifier: {"DIR2-MDMF-Verifier", formMDMF, powerVerify, true, true, KindNone, KindDir2MDMFVerifier},
	KindDir2CHK:          {"DIR2-CHK", formCHK, powerRead, false, true, KindDir2CHK, KindDir2CHKVerifier},
	KindDir2CHKVerifier:  {"DIR2-CHK-Verifier", formCHK, powerVerify, false, true, KindNone, KindDir2CHKVerifier},
	KindDir2LIT:          {"DIR2-LIT", formLIT, powerRead, false, true, KindDir2LIT, KindNone},
}

// String is the kind as Tahoe writes it in a capability, for example "DIR2-RO".
func (k Kind) String() string {
	if int(k) >= len(kinds) {
		return "unknown"
	}
	return kinds[k].name
}

// Cap is a Tahoe capability: whoever holds it may read, and perhaps write,
// what it points at. It is a secret. Every way to print, log or encode a Cap
// gives its redacted form or nothing; only Secret reveals it.
//
// The zero Cap is "no capability". Caps are equal when their texts are equal.
type Cap struct {
	// A handle and not the text itself: fmt, and whatever else looks into
	// unexported fields of a struct that holds a Cap, finds an address. The
	// handle must be one of a string; fmt follows pointers to structs.
	uri unique.Handle[string]
	facts
}

// facts are what can be said about a capability without telling it.
type facts struct {
	kind          Kind
	needed, total int
	size          int64
}

// capability is the text of a capability, valid by the grammar, and its facts.
type capability struct {
	uri string
	facts
}

func (v capability) cap() Cap { return Cap{unique.Make(v.uri), v.facts} }

// get returns what c holds; the zero capability for the zero Cap.
func (c Cap) get() capability {
	if c.IsZero() {
		return capability{}
	}
	return capability{c.uri.Value(), c.facts}
}

// Secret returns the capability itself. Call it only to store or send the
// capability on purpose: never for a message, a log or an error.
func (c Cap) Secret() string { return c.get().uri }

// IsZero reports whether c is no capability at all.
func (c Cap) IsZero() bool { return c == Cap{} }

// Kind returns what c is; KindNone for the zero Cap.
func (c Cap) Kind() Kind { return c.kind }

// IsDirectory reports whether c points at a directory, whatever it allows there.
func (c Cap) IsDirectory() bool { return kinds[c.kind].directory }

// IsMutable reports whether what c points at can change, by anyone.
func (c Cap) IsMutable() bool { return kinds[c.kind].mutable }

// CanWrite reports whether c allows to change what it points at.
func (c Cap) CanWrite() bool { return kinds[c.kind].power >= powerWrite }

// CanRead reports whether c allows to read what it points at; verify
// capabilities do not.
func (c Cap) CanRead() bool { return kinds[c.kind].power >= powerRead }

// Size returns the size in bytes of an immutable file, which its capability
// states. It is unknown for mutable files and for directories.
func (c Cap) Size() (int64, bool) {
	switch c.kind {
	case KindLIT, KindCHK, KindCHKVerifier:
		return c.size, true
	}
	return 0, false
}

// Encoding returns how many shares are needed and how many were made, which
// the capability of an immutable object states. Mutable ones do not.
func (c Cap) Encoding() (needed, total int, ok bool) {
	return c.needed, c.total, kinds[c.kind].form == formCHK
}

// String returns a redacted form, the kind and 8 hex digits of a hash:
// enough to tell two capabilities apart in a log.
func (c Cap) String() string {
	if c.IsZero() {
		return "no capability"
	}
	sum := sha256.Sum256([]byte(c.Secret()))
	return c.kind.String() + "[" + hex.EncodeToString(sum[:4]) + "]"
}

// GoString returns the redacted form.
func (c Cap) GoString() string { return c.String() }

// LogValue returns the redacted form.
func (c Cap) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Format writes the redacted form, whatever the verb.
func (c Cap) Format(s fmt.State, verb rune) {
	if verb == 's' || verb == 'q' {
		fmt.Fprintf(s, fmt.FormatString(s, verb), c.String())
		return
	}
	io.WriteString(s, c.String())
}
