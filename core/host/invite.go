package host

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/skip2/go-qrcode"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/tor"
)

// Invite is what a person needs to use a service. It is a secret: it holds the
// furl and, usually, the key that the onion service asks for.
type Invite struct {
	Service string // "storage" or "introducer"

	// Server is the storage node; of an introducer only Nickname and Furl are set.
	Server manifest.Server

	Space         int64 // bytes that were free when it was made; 0 not known
	Made, Expires time.Time
}

// HasKey reports whether the onion service asks for a key. Otherwise its
// address alone lets in.
func (i *Invite) HasKey() bool { return !i.Server.OnionKey.IsZero() }

const (
	inviteVersion = 1
	inviteBegin   = "HIDDEN BACKUP INVITE"
	inviteLabel   = "hidden-backup invite v1"

	// Real ones have less than 500 bytes; all fields at their bounds, 2200.
	maxInvite     = 3000
	maxInviteText = 1 << 20
	maxInvites    = 255 // in one text; a grid has no more servers

	checkBytes = 10 // 80 bits

	// grace is for computers whose clock is not set yet.
	grace = 24 * time.Hour
)

// wireInvite is the CBOR form.
type wireInvite struct {
	Service   string `cbor:"1,keyasint"`
	Made      int64  `cbor:"2,keyasint"` // seconds since 1970
	Expires   int64  `cbor:"3,keyasint"`
	Furl      string `cbor:"4,keyasint"`
	Nickname  string `cbor:"5,keyasint,omitempty"`
	ID        string `cbor:"6,keyasint,omitempty"`
	Seed      string `cbor:"7,keyasint,omitempty"`
	Operator  string `cbor:"8,keyasint,omitempty"`
	Place     string `cbor:"9,keyasint,omitempty"`
	LeaseDays int    `cbor:"10,keyasint,omitempty"`
	Key       []byte `cbor:"11,keyasint,omitempty"` // x25519, private
	Space     int64  `cbor:"12,keyasint,omitempty"`
}

var inviteMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxMapPairs: 16, MaxArrayElements: 16, MaxNestedLevels: 4,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// crockford is the alphabet of a manifest's text form: nothing in it looks
// like another thing, and all of it is in QR's alphanumeric mode.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// Line is the invite in one line of letters and digits, as for a QR code. It
// reveals the secrets in it.
func (i *Invite) Line() (string, error) {
	if err := i.validate(); err != nil {
		return "", err
	}
	s := i.Server
	w := wireInvite{
		Service: i.Service, Made: i.Made.Unix(), Expires: i.Expires.Unix(), Space: i.Space,
		Furl: s.Furl.Secret(), Nickname: s.Nickname, ID: s.ID, Seed: s.Seed,
		Operator: s.Operator, Place: s.Place, LeaseDays: s.LeaseDays,
	}
	if i.HasKey() {
		w.Key = s.OnionKey.Bytes()
		defer clear(w.Key)
	}
	data, err := cbor.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("writing the invite: %w", err)
	}
	if len(data) > maxInvite {
		return "", fmt.Errorf("%w: it is too long", ErrInvite)
	}
	return fmt.Sprintf("%s V%d BYTES %d DATA %s CHECK %s", inviteBegin, inviteVersion, len(data),
		crockford.EncodeToString(data), inviteCheck(data)), nil
}

// WritePNG writes Line as the picture of a QR code.
func (i *Invite) WritePNG(w io.Writer) error {
	line, err := i.Line()
	if err != nil {
		return err
	}
	code, err := qrcode.New(line, qrcode.Medium)
	if err != nil {
		return err
	}
	return code.Write(-8, w) // 8 pixels a module
}

// Text is Line in short lines, for e-mail and chat.
func (i *Invite) Text() (string, error) {
	line, err := i.Line()
	if err != nil {
		return "", err
	}
	head, rest, _ := strings.Cut(line, " DATA ")
	data, check, _ := strings.Cut(rest, " CHECK ")
	var out strings.Builder
	out.WriteString(head + " DATA\n")
	for chunk := range slices.Chunk([]byte(data), 60) {
		out.Write(chunk)
		out.WriteByte('\n')
	}
	out.WriteString("CHECK " + check + "\n")
	return out.String(), nil
}

func inviteCheck(data []byte) string {
	sum := sha256.Sum256(append([]byte(inviteLabel), data...))
	return crockford.EncodeToString(sum[:checkBytes])
}

// ParseInvites returns the invites that are somewhere in text, at least one.
// It tolerates what mail, chat and hands do: other words, line breaks,
// quoting, small letters, O for 0 and I or L for 1. A damaged one is an error.
// What it returns is valid; it is still the word of whoever wrote it.
func ParseInvites(text []byte) ([]*Invite, error) {
	if len(text) > maxInviteText {
		return nil, fmt.Errorf("%w: the text is larger than 1 MiB", ErrInvite)
	}
	_, rest, ok := strings.Cut(squeeze(text), squeezedBegin)
	if !ok {
		return nil, fmt.Errorf("%w: there is none in the text", ErrInvite)
	}
	var found []*Invite
	for ok {
		i, err := parseInvite(rest)
		if err != nil {
			return nil, err
		}
		if found = append(found, i); len(found) > maxInvites {
			return nil, fmt.Errorf("%w: there are more than %d in the text", ErrInvite, maxInvites)
		}
		_, rest, ok = strings.Cut(rest, squeezedBegin)
	}
	return found, nil
}

var squeezedBegin = strings.ReplaceAll(inviteBegin, " ", "") + "V"

// squeeze takes out what does not count: white space, marks without width,
// marks of quoting, case.
func squeeze(text []byte) string {
	var out strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), r == '>', r == '|', r == '*':
		case 'a' <= r && r <= 'z':
			out.WriteByte(byte(r) - 'a' + 'A')
		default:
			out.Write(text[:n])
		}
		text = text[n:]
	}
	return out.String()
}

// parseInvite reads an invite from behind the V of its beginning.
func parseInvite(s string) (*Invite, error) {
	version, s, ok := number(s, "BYTES")
	if ok && version > inviteVersion {
		return nil, fmt.Errorf("%w: it has version %d, this program knows version %d", ErrInviteVersion, version, inviteVersion)
	}
	size, s, sized := number(s, "DATA")
	if !ok || !sized || version != inviteVersion || size < 1 || size > maxInvite {
		return nil, fmt.Errorf("%w: its first line cannot be read", ErrInvite)
	}
	length, checkLength := crockford.EncodedLen(size), crockford.EncodedLen(checkBytes)
	if len(s) < length+len("CHECK")+checkLength {
		return nil, fmt.Errorf("%w: its end is missing", ErrInvite)
	}
	letters := forgiving.Replace(s[:length])
	check, checked := strings.CutPrefix(s[length:], "CHECK")
	data, err := crockford.DecodeString(letters)
	// Encoding again catches spare bits that the decoder ignores.
	if err != nil || !checked || crockford.EncodeToString(data) != letters ||
		forgiving.Replace(check[:checkLength]) != inviteCheck(data) {
		return nil, fmt.Errorf("%w: it is not as it was written", ErrInvite)
	}
	return decodeInvite(data)
}

// forgiving reads letters the alphabet leaves out as what they look like.
var forgiving = strings.NewReplacer("O", "0", "I", "1", "L", "1")

// number reads up to four digits and the word behind them.
func number(s, word string) (n int, rest string, ok bool) {
	digits := 0
	for digits < len(s) && digits < 4 && '0' <= s[digits] && s[digits] <= '9' {
		n = 10*n + int(s[digits]-'0')
		digits++
	}
	rest, ok = strings.CutPrefix(s[digits:], word)
	return n, rest, ok && digits > 0
}

func decodeInvite(data []byte) (*Invite, error) {
	var w wireInvite
	if err := inviteMode.Unmarshal(data, &w); err != nil {
		// Its text could repeat what is in there.
		return nil, fmt.Errorf("%w: its fields cannot be read", ErrInvite)
	}
	i := &Invite{
		Service: w.Service, Space: w.Space,
		Made: time.Unix(w.Made, 0).UTC(), Expires: time.Unix(w.Expires, 0).UTC(),
		Server: manifest.Server{ID: w.ID, Nickname: w.Nickname, Operator: w.Operator, Place: w.Place, Seed: w.Seed, LeaseDays: w.LeaseDays},
	}
	var err error
	if i.Server.Furl, err = manifest.ParseFurl(w.Furl); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvite, err)
	}
	if len(w.Key) > 0 {
		if i.Server.OnionKey, err = manifest.SecretFromBytes(w.Key); err != nil {
			return nil, fmt.Errorf("%w: its key: %w", ErrInvite, err)
		}
	}
	return i, i.validate()
}

// validate checks an invite as a manifest of it alone would be checked: it
// must not lead anywhere but to an onion service.
func (i *Invite) validate() error {
	g := manifest.Grid{Network: manifest.NetworkTor, Needed: 1, Happy: 1, Total: 1}
	switch {
	case i.Service == "storage":
		g.Servers = []manifest.Server{i.Server}
	case i.Service == "introducer" && !i.HasKey():
		g.Introducers = []manifest.Introducer{{Name: i.Server.Nickname, Furl: i.Server.Furl}}
	default:
		return fmt.Errorf("%w: it is to neither a storage node nor an introducer", ErrInvite)
	}
	if err := g.Validate(); errors.Is(err, manifest.ErrNetwork) {
		return ErrElsewhere // err speaks of a manifest
	} else if err != nil {
		return fmt.Errorf("%w: %w", ErrInvite, err)
	}
	for _, address := range i.Server.Furl.Onions() {
		if tor.CheckOnion(address) != nil {
			return fmt.Errorf("%w: the letters of its onion address do not fit together", ErrInvite)
		}
	}
	if year := i.Made.Year(); i.Space < 0 || year < 2020 || year > 9999 || i.Expires.Year() > 9999 || !i.Expires.After(i.Made) {
		return fmt.Errorf("%w: its dates or its space cannot be", ErrInvite)
	}
	return nil
}

// Check fails with ErrExpired if the invite is too old to be used. Nothing but
// this check enforces the date: whoever has the text can get in until revoked.
func (i *Invite) Check(now time.Time) error {
	if now.After(i.Expires.Add(grace)) {
		return fmt.Errorf("%w on %s", ErrExpired, i.Expires.Format(time.DateOnly))
	}
	return nil
}
