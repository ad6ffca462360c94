package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/restic/chunker"
)

// Sizes of chunks in bytes. A file up to MinChunk is one chunk; above that the
// average is MinChunk plus 2^20. A chunk of MaxChunk still fits a pack four
// times, so that the space a pack leaves unused stays small.
const (
	MinChunk = 256 << 10
	MaxChunk = 4 << 20
	fileBits = 20

	// A listing is cut finer: one changed file then costs the upload of some
	// 100 KiB of listing, not of a MiB.
	minListingChunk  = 32 << 10
	listingChunkBits = 16

	SealOverhead = boxSize + 1 // and the byte that names the encoding
	// MaxSealedChunk is the length of a sealed chunk of MaxChunk at most:
	// what does not shrink is stored as it is.
	MaxSealedChunk = MaxChunk + SealOverhead
)

// Errors of opening what came back from the grid.
var (
	// ErrSeal: not sealed under this key, or altered.
	ErrSeal = errors.New("the data is damaged or belongs to another backup")
	// ErrChunk: properly sealed, but not the bytes the name promises.
	ErrChunk = errors.New("a piece of a file is not what its name promises")
)

// ChunkID is the SHA-256 of a chunk's plaintext. It is secret (it would confirm
// a guess at the content) and appears only in sealed objects.
type ChunkID [sha256.Size]byte

// IDOf names a chunk.
func IDOf(plain []byte) ChunkID { return sha256.Sum256(plain) }

// How the plaintext of a chunk is stored inside its seal.
const (
	encodingStored byte = 0
	encodingZstd   byte = 1
)

// The zstd coders are made once: each is safe for concurrent use by as many
// goroutines as it was made for, and waits where there are more.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedDefault),
			zstd.WithEncoderCRC(false),   // the seal authenticates
			zstd.WithWindowSize(1<<20),   // bounds memory; chunks average about that
			zstd.WithSingleSegment(true), // always says how long it will be
			zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // options are constants
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(0),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxObject))
		if err != nil {
			panic(err)
		}
		return d
	})
)

// scratch holds the plaintexts of boxes while they are sealed and opened.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, MinChunk); return &b }}

// SealChunk appends the sealed form of plain to out. With compress unset the
// bytes are stored as they are.
func (k *Keys) SealChunk(out, plain []byte, compress bool) []byte {
	return sealEncoded(&k.chunk, out, plain, compress)
}

func sealEncoded(key *[32]byte, out, plain []byte, compress bool) []byte {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	inner := append((*buf)[:0], encodingZstd)
	if compress {
		inner = encoder().EncodeAll(plain, inner)
	}
	if !compress || len(inner) > len(plain) {
		inner = append(inner[:0], encodingStored)
		inner = append(inner, plain...)
	}
	*buf = inner
	return seal(key, out, inner)
}

// OpenChunk appends the plaintext of a sealed chunk to out and checks that it
// is the chunk ref names.
func (k *Keys) OpenChunk(out, sealed []byte, ref ChunkRef) ([]byte, error) {
	plain, err := openEncoded(&k.chunk, out, sealed, int(ref.Length))
	if err != nil {
		return nil, err
	}
	if got := plain[len(out):]; int64(len(got)) != ref.Length || IDOf(got) != ref.ID {
		return nil, ErrChunk
	}
	return plain, nil
}

func openEncoded(key *[32]byte, out, sealed []byte, limit int) ([]byte, error) {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	inner, err := open(key, (*buf)[:0], sealed)
	if err != nil {
		return nil, err
	}
	*buf = inner[:0]
	if len(inner) == 0 {
		return nil, fmt.Errorf("%w: empty box", ErrFormat)
	}
	switch inner[0] {
	case encodingStored:
		if len(inner)-1 > limit {
			return nil, fmt.Errorf("%w: box larger than it says", ErrFormat)
		}
		return append(out, inner[1:]...), nil
	case encodingZstd:
		var header zstd.Header
		if err := header.Decode(inner[1:]); err != nil || !header.HasFCS || header.FrameContentSize > uint64(limit) {
			return nil, fmt.Errorf("%w: box larger than it says", ErrFormat)
		}
		plain, err := decoder().DecodeAll(inner[1:], out)
		if err != nil || len(plain)-len(out) > limit {
			return nil, fmt.Errorf("%w: box that does not decompress", ErrFormat)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("%w: box of an unknown encoding", ErrFormat)
}

// Cutter cuts a stream into chunks where its content says so. Not for
// concurrent use; reuse one for many files, it holds half a MiB.
type Cutter struct {
	keys *Keys
	c    *chunker.Chunker
}

// NewCutter returns a cutter for file content; call Reset before Next.
func (k *Keys) NewCutter() *Cutter { return &Cutter{keys: k} }

// Reset starts on a new stream.
func (c *Cutter) Reset(r io.Reader) {
	if c.c == nil {
		c.c = chunker.NewWithBoundaries(r, c.keys.cutFile, MinChunk, MaxChunk)
	} else {
		c.c.ResetWithBoundaries(r, c.keys.cutFile, MinChunk, MaxChunk)
	}
	c.c.SetAverageBits(fileBits)
}

// Next returns the next chunk in buf's memory, grown as needed, and io.EOF
// after the last.
func (c *Cutter) Next(buf []byte) ([]byte, error) {
	chunk, err := c.c.Next(buf)
	return chunk.Data, err
}

// newListingCutter cuts a listing as it is written.
func (k *Keys) newListingCutter(r io.Reader) *chunker.Chunker {
	c := chunker.NewWithBoundaries(r, k.cutListing, minListingChunk, MaxChunk)
	c.SetAverageBits(listingChunkBits)
	return c
}
