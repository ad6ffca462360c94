package manifest

import (
	"bytes"
	"compress/flate"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/nacl/secretbox"
)

const (
	saltSize  = 32
	nonceSize = 24
	overhead  = saltSize + nonceSize + secretbox.Overhead

	// Sealed files have one of seven sizes, each twice the one before, so a size tells no more
	// than the rough number of servers. The largest holds maxPlain even if nothing compresses.
	smallestSealed = 2 << 10
	largestSealed  = 128 << 10

	// maxInput is above the armour of the largest sealed file (270 KiB with its line breaks,
	// more when quoted), and low enough to read without asking.
	maxInput = 1 << 20

	sealLabel = "hidden-backup manifest v1"
)

// sealDictionary primes the compressor with the words of the plain form, so that only what is
// particular to a manifest costs bytes. It belongs to format version 1: never change a byte.
const sealDictionary = `.b32.i2p:"network":"loopback-practice","network":"i2p","network":"tor-to-clearnet",@tcp:127.0.0.1:@i2p:` +
	`"pin":{"snapshot":"URI:LIT:URI:DIR2-MDMF-RO:URI:DIR2-MDMF:","vault":"URI:DIR2-RO:"power":"reader",` +
	`/home/amnesia/Persistent//live/persistence/TailsData_unlocked/DocumentsPicturesThunderbirdgnupg` +
	`{"type":"hidden-backup-manifest","version":1,"power":"owner","name":"","generation":1,"created":"2026-01-00Z",` +
	`"grid":{"network":"tor","needed":3,"happy":5,"total":6,"introducers":[],"introducers":[{"name":"main","furl":"pb://"}],` +
	`"servers":[]},"vault":"URI:DIR2:","root_secret":"","gateway":{"lease_secret":"","convergence":""},` +
	`"folders":[],"folders":[{"name":"","path":"/","tier":3},{"name":"","path":"~/","tier":1}],` +
	`"pin":{"snapshot":"URI:CHK::3:6:","sequence":1}}` +
	`"servers":[{"id":"v0-","nickname":"storage","operator":"","place":"","furl":"pb://@tor:.onion:3457/","seed":"","onion_key":""},{"id":"v0-`

// profile is the work a passphrase guess costs.
type profile struct {
	time, memory uint32 // argon2id; memory in KiB
	threads      uint8
	scryptP      int // of the first hidden-tahoe-backup's files
}

// The profile of format version 1 is fixed and never read from a file, so that nobody can make
// opening cheap for himself or unbearable for the owner. 512 MiB leaves room on a 2 GiB machine
// running Tails and keeps one guess per half gigabyte of an attacker's fast memory; four passes
// take one to three seconds on the laptops people have. RFC 9106 asks for more memory (2 GiB,
// one pass) or far less (64 MiB, three); this stands between.
var production = profile{time: 4, memory: 512 << 10, threads: 4, scryptP: 1000}

var work atomic.Pointer[profile]

func init() { work.Store(&production) }

// SetTestProfile makes guessing, and so opening, cheap for the rest of a test: what is sealed
// under it opens only under it. With a nil t, as in TestMain, it stays so. It panics in any
// program that was not built by "go test".
func SetTestProfile(t interface {
	Helper()
	Cleanup(func())
}) {
	if !testing.Testing() {
		panic("manifest: SetTestProfile outside a test")
	}
	before := work.Swap(&profile{time: 1, memory: 64, threads: 1, scryptP: 1})
	if t != nil {
		t.Helper()
		t.Cleanup(func() { work.Store(before) })
	}
}

// oneKDF keeps two openings at once from needing a gibibyte.
var oneKDF sync.Mutex

func deriveKey(passphrase, salt []byte) (key [32]byte, err error) {
	canonical, err := canonicalPassphrase(passphrase)
	if err != nil {
		return key, err
	}
	defer wipe(canonical)
	oneKDF.Lock()
	defer oneKDF.Unlock()
	p := work.Load()
	stretched := argon2.IDKey(canonical, salt, p.time, p.memory, p.threads, 32)
	defer wipe(stretched)
	if p.memory >= 64<<10 {
		// The next thing to start is a gateway, on a machine that may have 2 GiB in all.
		debug.FreeOSMemory()
	}
	k, err := hkdf.Key(sha256.New, stretched, nil, sealLabel, 32)
	if err != nil {
		return key, fmt.Errorf("deriving the seal key: %w", err)
	}
	defer wipe(k)
	copy(key[:], k)
	return key, nil
}

// Seal returns c sealed under the passphrase: bytes that look random, of one of a few sizes.
// It takes a second or more and 512 MiB. Random is crypto/rand.Reader if nil. The passphrase
// stays the caller's to wipe; whether it is strong enough is for CheckStrength.
func Seal(c Content, passphrase []byte, random io.Reader) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	plain, err := EncodePlain(c)
	if err != nil {
		return nil, err
	}
	defer wipe(plain)
	packed, err := pack(plain)
	if err != nil {
		return nil, err
	}
	defer wipe(packed)
	sealed := make([]byte, saltSize+nonceSize, overhead+len(packed))
	if _, err := io.ReadFull(random, sealed); err != nil {
		return nil, fmt.Errorf("drawing salt and nonce: %w", err)
	}
	key, err := deriveKey(passphrase, sealed[:saltSize])
	if err != nil {
		return nil, err
	}
	defer wipe(key[:])
	nonce := [nonceSize]byte(sealed[saltSize:])
	return secretbox.Seal(sealed, packed, &nonce, &key), nil
}

// Open opens a manifest in any form: sealed bytes, armoured text, or a file of the first
// hidden-tahoe-backup. It takes as long as Seal, and ten to thirty seconds for the last. A
// caretaker's file in plain form opens with any passphrase; plain forms of other powers do not.
func Open(data, passphrase []byte) (*Opened, error) {
	if len(data) > maxInput {
		return nil, fmt.Errorf("%w: it is larger than 1 MiB", ErrNotManifest)
	}
	switch {
	case IsArmour(data):
		sealed, err := Dearmour(data)
		if err != nil {
			return nil, err
		}
		return openSealed(sealed, passphrase)
	case looksLegacy(data):
		legacy, err := OpenLegacy(data, passphrase)
		if err != nil {
			return nil, err
		}
		return &Opened{Legacy: legacy}, nil
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")):
		if opened, err := DecodePlain(data); err == nil && opened.Caretaker != nil {
			return opened, nil
		}
	}
	return openSealed(data, passphrase)
}

func notSealed(data []byte) error {
	switch {
	case len(data) == 0:
		return fmt.Errorf("%w: it is empty", ErrNotManifest)
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")):
		return fmt.Errorf("%w: it is readable text, a sealed manifest is not", ErrNotManifest)
	case len(data) < smallestSealed:
		return fmt.Errorf("%w: it is too small", ErrNotManifest)
	}
	return fmt.Errorf("%w: no manifest has this size; if it was one, part of it is missing", ErrNotManifest)
}

func openSealed(sealed, passphrase []byte) (*Opened, error) {
	if !sealedSize(len(sealed)) {
		return nil, notSealed(sealed)
	}
	key, err := deriveKey(passphrase, sealed[:saltSize])
	if err != nil {
		return nil, err
	}
	defer wipe(key[:])
	nonce := [nonceSize]byte(sealed[saltSize:])
	packed, ok := secretbox.Open(nil, sealed[saltSize+nonceSize:], &nonce, &key)
	if !ok {
		return nil, ErrPassphrase
	}
	defer wipe(packed)
	plain, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	defer wipe(plain)
	return DecodePlain(plain)
}

// ChangePassphrase opens a sealed or armoured manifest and seals the same content under a new
// passphrase. Copies sealed before still open with the old one.
func ChangePassphrase(data, old, new []byte, random io.Reader) ([]byte, error) {
	opened, err := Open(data, old)
	if err != nil {
		return nil, err
	}
	c := opened.content()
	if c == nil {
		return nil, errImportFirst
	}
	return Seal(c, new, random)
}

// SealAs seals c in the form that a manifest had: armour stays armour.
func SealAs(old []byte, c Content, passphrase []byte) ([]byte, error) {
	sealed, err := Seal(c, passphrase, nil)
	if err != nil || !IsArmour(old) {
		return sealed, err
	}
	return Armour(sealed)
}

// sealedSize reports whether a sealed file may have n bytes.
func sealedSize(n int) bool {
	return n >= smallestSealed && n <= largestSealed && n&(n-1) == 0
}

// pack compresses the plain form and pads it by ISO/IEC 7816-4 (one 0x80, then zeros) so that
// the sealed file has one of our sizes.
func pack(plain []byte) ([]byte, error) {
	var compact, buf bytes.Buffer
	if err := json.Compact(&compact, plain); err != nil {
		return nil, fmt.Errorf("compacting the manifest: %w", err)
	}
	defer wipe(compact.Bytes())
	w, err := flate.NewWriterDict(&buf, flate.BestCompression, []byte(sealDictionary))
	if err != nil {
		return nil, fmt.Errorf("compressing the manifest: %w", err)
	}
	if _, err := w.Write(compact.Bytes()); err != nil {
		return nil, fmt.Errorf("compressing the manifest: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing the manifest: %w", err)
	}
	buf.WriteByte(0x80)
	size := smallestSealed
	for size < buf.Len()+overhead {
		size *= 2
	}
	if size > largestSealed {
		return nil, invalid("the manifest is larger than %d KiB", maxPlain>>10)
	}
	padded := make([]byte, size-overhead)
	copy(padded, buf.Bytes())
	wipe(buf.Bytes())
	return padded, nil
}

// unpack undoes pack. It runs on authenticated bytes only, and still trusts none of them.
func unpack(packed []byte) ([]byte, error) {
	end := bytes.LastIndexByte(packed, 0x80)
	if end < 0 || len(bytes.Trim(packed[end+1:], "\x00")) > 0 {
		return nil, invalid("the padding is broken")
	}
	in := bytes.NewReader(packed[:end])
	plain, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(in, []byte(sealDictionary)), maxPlain+1))
	if err != nil || len(plain) > maxPlain || in.Len() > 0 {
		return nil, invalid("the content does not unpack")
	}
	return plain, nil
}

// Read reads a manifest in any form from r, and stops at 1 MiB.
func Read(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	if len(data) > maxInput {
		return nil, fmt.Errorf("%w: it is larger than 1 MiB", ErrNotManifest)
	}
	return data, nil
}
