package snapshot

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"

	"github.com/fxamacker/cbor/v2"
)

// A pack is, byte by byte,
//
//	sealed chunks | sealed footer | random padding | sealed trailer
//
// where the trailer, of fixed length, holds the offset and the length of the
// footer, and the footer lists the chunks. Nothing in a pack looks different
// from random bytes to whoever has no key.
const (
	// PackSize is the length of every full pack. A larger one costs memory and
	// more of an upload that is cut off; a smaller one costs round trips: some
	// ten for each pack, whatever its size.
	PackSize = 16 << 20

	trailerPlain = 8
	trailerSize  = trailerPlain + boxSize

	// smallPack is up to where a pack's memory grows by need.
	smallPack = 1 << 20

	// maxFooter bounds what a footer may decode to.
	maxFooter = 8 << 20
	// A footer's entry takes at most: array head 1, ID 34, three integers of
	// up to 5 bytes each. footerSize must never fall short of the truth.
	footerEntry = 1 + 34 + 3*5
	footerFixed = SealOverhead + 64
)

// PackID names a pack inside sealed data. It is random: it says nothing about
// what the pack holds, and a pack that has to be uploaded again keeps it.
type PackID [16]byte

// NewPackID returns a fresh one.
func NewPackID() (id PackID) {
	rand.Read(id[:]) // never fails
	return id
}

func (id PackID) String() string { return hex.EncodeToString(id[:4]) }

// A PackedChunk is one line of a pack's footer.
type PackedChunk struct {
	_      struct{} `cbor:",toarray"`
	ID     ChunkID
	Offset uint32
	Sealed uint32
	Length int64
}

type footer struct {
	_      struct{} `cbor:",toarray"`
	Pack   PackID
	Chunks []PackedChunk
}

// PackBuilder fills one pack. Not for concurrent use.
type PackBuilder struct {
	keys   *Keys
	id     PackID
	buf    []byte
	chunks []PackedChunk
}

// NewPack starts a pack in buf's memory, which it grows up to PackSize.
func (k *Keys) NewPack(buf []byte) *PackBuilder {
	return &PackBuilder{keys: k, id: NewPackID(), buf: buf[:0]}
}

// ID returns the pack's name.
func (p *PackBuilder) ID() PackID { return p.id }

// PackLength is how long a pack of so many chunks gets at most, before padding;
// sealed is the length of all of them together.
func PackLength(chunks int, sealed int64) int64 {
	return sealed + footerFixed + int64(chunks)*footerEntry + trailerSize
}

// Fits reports whether a sealed chunk of n bytes still has room.
func (p *PackBuilder) Fits(n int) bool {
	return PackLength(len(p.chunks)+1, int64(len(p.buf)+n)) <= PackSize
}

// Add places a sealed chunk that Fits and returns where it is.
func (p *PackBuilder) Add(id ChunkID, sealed []byte, length int) ChunkRef {
	c := PackedChunk{ID: id, Offset: uint32(len(p.buf)), Sealed: uint32(len(sealed)), Length: int64(length)}
	if len(p.buf)+len(sealed) > cap(p.buf) && len(p.buf)+len(sealed) > smallPack {
		// Grow to the end at once: doubling would leave as much garbage again.
		p.buf = append(make([]byte, 0, PackSize), p.buf...)
	}
	p.buf = append(p.buf, sealed...)
	p.chunks = append(p.chunks, c)
	return c.ref(p.id)
}

func (c PackedChunk) ref(pack PackID) ChunkRef {
	return ChunkRef{ID: c.ID, Pack: pack, Offset: c.Offset, Sealed: c.Sealed, Length: c.Length}
}

// Finish closes the pack and returns its bytes, PackSize of them when full is
// set, otherwise as many as Padmé asks for. The builder must not be used again.
func (p *PackBuilder) Finish(full bool) ([]byte, error) {
	plain, err := encMode.Marshal(footer{Pack: p.id, Chunks: p.chunks})
	if err != nil {
		return nil, fmt.Errorf("writing a pack's footer: %w", err)
	}
	start := len(p.buf)
	p.buf = sealEncoded(&p.keys.footer, p.buf, plain, true)
	var trailer [trailerPlain]byte
	binary.LittleEndian.PutUint32(trailer[:4], uint32(start))
	binary.LittleEndian.PutUint32(trailer[4:], uint32(len(p.buf)-start))

	size := PackSize
	if !full {
		size = min(Padme(len(p.buf)+trailerSize), PackSize)
	}
	pad := size - trailerSize - len(p.buf)
	if pad < 0 {
		return nil, fmt.Errorf("pack %v is %d bytes too long", p.id, -pad)
	}
	p.buf = appendRandom(p.buf, pad)
	return seal(&p.keys.trailer, p.buf, trailer[:]), nil
}

// TrailerRange says which bytes of a pack of size bytes ReadTrailer needs.
func TrailerRange(size int64) (offset, length int64, err error) {
	if size < trailerSize || size > PackSize {
		return 0, 0, fmt.Errorf("%w: pack of %d bytes", ErrFormat, size)
	}
	return size - trailerSize, trailerSize, nil
}

// ReadTrailer returns where the footer of a pack of size bytes is.
func (k *Keys) ReadTrailer(trailer []byte, size int64) (offset, length int64, err error) {
	plain, err := open(&k.trailer, nil, trailer)
	if err != nil {
		return 0, 0, err
	}
	if len(plain) != trailerPlain {
		return 0, 0, fmt.Errorf("%w: pack trailer of %d bytes", ErrFormat, len(plain))
	}
	offset = int64(binary.LittleEndian.Uint32(plain[:4]))
	length = int64(binary.LittleEndian.Uint32(plain[4:]))
	if length < SealOverhead || offset+length > size-trailerSize {
		return 0, 0, fmt.Errorf("%w: pack footer outside the pack", ErrFormat)
	}
	return offset, length, nil
}

// ReadFooter returns the chunks a pack's sealed footer lists.
func (k *Keys) ReadFooter(sealed []byte) (PackID, []ChunkRef, error) {
	plain, err := openEncoded(&k.footer, nil, sealed, maxFooter)
	if err != nil {
		return PackID{}, nil, err
	}
	var f footer
	if err := decMode.Unmarshal(plain, &f); err != nil {
		return PackID{}, nil, fmt.Errorf("%w: pack footer: %v", ErrFormat, err)
	}
	refs := make([]ChunkRef, len(f.Chunks))
	for i, c := range f.Chunks {
		if c.Length <= 0 || c.Length > MaxChunk || c.Sealed > MaxSealedChunk || int64(c.Offset)+int64(c.Sealed) > PackSize {
			return PackID{}, nil, fmt.Errorf("%w: impossible chunk in a pack footer", ErrFormat)
		}
		refs[i] = c.ref(f.Pack)
	}
	return f.Pack, refs, nil
}

// Reseal changes the bytes of a finished pack and nothing of what it says:
// footer and trailer get new nonces. Stored again, such a pack is another file
// to Tahoe, with shares of its own. data is changed in place.
func (k *Keys) Reseal(data []byte) error {
	at, n, err := TrailerRange(int64(len(data)))
	if err != nil {
		return err
	}
	trailer, err := open(&k.trailer, nil, data[at:at+n])
	if err != nil {
		return err
	}
	if at, n, err = k.ReadTrailer(data[at:at+n], int64(len(data))); err != nil {
		return err
	}
	list, err := open(&k.footer, nil, data[at:at+n])
	if err != nil {
		return err
	}
	copy(data[at:], seal(&k.footer, nil, list))
	copy(data[len(data)-trailerSize:], seal(&k.trailer, nil, trailer))
	return nil
}

// Padme returns the length that n bytes are padded to: the next number whose
// low bits are zero, with as many bits left to vary as the bit length of the
// exponent. It costs 12 % at most and leaves O(log log n) sizes to tell apart
// (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS 2019).
func Padme(n int) int {
	if n < 2 {
		return n
	}
	exponent := bits.Len(uint(n)) - 1
	low := exponent - bits.Len(uint(exponent))
	if low <= 0 {
		return n
	}
	mask := 1<<low - 1
	return (n + mask) &^ mask
}

func appendRandom(b []byte, n int) []byte {
	start := len(b)
	if cap(b)-start < n {
		b = append(b, make([]byte, n)...)
	} else {
		b = b[:start+n]
	}
	rand.Read(b[start:])
	return b
}

// The CBOR dialect: deterministic when written, and when read nothing beyond
// what we write ourselves.
var (
	encMode = func() cbor.EncMode {
		m, err := cbor.EncOptions{Sort: cbor.SortCoreDeterministic, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden}.EncMode()
		if err != nil {
			panic(err)
		}
		return m
	}()
	decMode = func() cbor.DecMode {
		m, err := cbor.DecOptions{
			DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
			ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
			MaxArrayElements:  4 * MaxChunks, MaxMapPairs: 1024, MaxNestedLevels: 8,
		}.DecMode()
		if err != nil {
			panic(err)
		}
		return m
	}()
)
