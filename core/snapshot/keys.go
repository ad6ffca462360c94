package snapshot

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/restic/chunker"
	"golang.org/x/crypto/nacl/secretbox"
)

// Overheads of a sealed box: a random nonce in front, the Poly1305 tag inside.
const (
	nonceSize  = 24
	boxSize    = nonceSize + secretbox.Overhead
	rootLength = 32
)

// A purpose is a kind of sealed object. Its text is the HKDF label and part of
// the format.
type purpose string

const (
	purposeChunk    purpose = "hidden-backup v1 chunk"
	purposeFooter   purpose = "hidden-backup v1 pack footer"
	purposeTrailer  purpose = "hidden-backup v1 pack trailer"
	purposeSnapshot purpose = "hidden-backup v1 snapshot"
	purposeRecord   purpose = "hidden-backup v1 record "
	labelCutFile            = "hidden-backup v1 file cut"
	labelCutListing         = "hidden-backup v1 listing cut"
	labelIdentity           = "hidden-backup v1 identity "
)

// Keys are all the keys of one vault. They are derived once from the root
// secret; Keys is read-only afterwards and safe for concurrent use.
type Keys struct {
	root     [rootLength]byte
	chunk    [32]byte
	footer   [32]byte
	trailer  [32]byte
	snapshot [32]byte

	cutFile, cutListing chunker.Pol
}

// NewKeys derives the keys of the vault with this root secret. Deriving the
// cutting polynomials takes a few milliseconds.
func NewKeys(root [rootLength]byte) (*Keys, error) {
	k := &Keys{root: root}
	for p, to := range map[purpose]*[32]byte{
		purposeChunk:    &k.chunk,
		purposeFooter:   &k.footer,
		purposeTrailer:  &k.trailer,
		purposeSnapshot: &k.snapshot,
	} {
		*to = k.derive(string(p))
	}
	// Where a file is cut depends on a secret polynomial, so the lengths of
	// chunks do not betray which well-known file was backed up.
	var err error
	if k.cutFile, err = k.polynomial(labelCutFile); err != nil {
		return nil, err
	}
	if k.cutListing, err = k.polynomial(labelCutListing); err != nil {
		return nil, err
	}
	return k, nil
}

// Identity derives a value that names this vault for the given use without
// telling anything about its secrets: the name of a lock, of a gateway.
func (k *Keys) Identity(use string) [32]byte { return k.derive(labelIdentity + use) }

// Format keeps the keys out of every print.
func (k *Keys) Format(f fmt.State, _ rune) { io.WriteString(f, "snapshot.Keys[redacted]") }

func (k *Keys) record(kind string) *[32]byte {
	key := k.derive(string(purposeRecord) + kind)
	return &key
}

func (k *Keys) derive(label string) (key [32]byte) {
	b, err := hkdf.Key(sha256.New, k.root[:], nil, label, len(key))
	if err != nil {
		panic(err) // only for lengths beyond 255 hashes
	}
	copy(key[:], b)
	return key
}

func (k *Keys) polynomial(label string) (chunker.Pol, error) {
	pol, err := chunker.DerivePolynomial(&stream{keys: k, label: label})
	if err != nil {
		return 0, fmt.Errorf("deriving where to cut: %w", err)
	}
	return pol, nil
}

// stream is an endless source of bytes derived from a label.
type stream struct {
	keys  *Keys
	label string
	block int
	rest  []byte
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		b := s.keys.derive(fmt.Sprintf("%s %d", s.label, s.block))
		s.rest = b[:]
		s.block++
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// seal appends nonce and box of plain to out.
func seal(key *[32]byte, out, plain []byte) []byte {
	var nonce [nonceSize]byte
	rand.Read(nonce[:]) // never fails
	out = append(out, nonce[:]...)
	return secretbox.Seal(out, plain, &nonce, key)
}

// open appends the plaintext of sealed to out.
func open(key *[32]byte, out, sealed []byte) ([]byte, error) {
	if len(sealed) < boxSize {
		return nil, ErrSeal
	}
	plain, ok := secretbox.Open(out, sealed[nonceSize:], (*[nonceSize]byte)(sealed), key)
	if !ok {
		return nil, ErrSeal
	}
	return plain, nil
}
