package snapshot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// laxMode reads the version of an object whose other fields may be unknown.
var laxMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{MaxArrayElements: 4 * MaxChunks}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// SealRecord seals a small CBOR object of the vault, such as the checkpoint,
// under a key of its kind, so that one kind never opens as another.
func (k *Keys) SealRecord(kind string, v any) ([]byte, error) {
	plain, err := encMode.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing the %s: %w", kind, err)
	}
	return sealPadded(k.record(kind), plain)
}

// OpenRecord opens what SealRecord returned for the same kind into v.
func (k *Keys) OpenRecord(kind string, sealed []byte, v any) error {
	plain, err := openPadded(k.record(kind), sealed)
	if err != nil {
		return err
	}
	if err := decMode.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrFormat, kind, err)
	}
	return nil
}

// PackList is the storable form of some packs, for a record.
type PackList []wirePack

// NewPackList lists packs.
func NewPackList(packs map[PackID]Pack) PackList { return packTable(packs) }

// Packs returns what NewPackList was given, checked.
func (l PackList) Packs() (map[PackID]Pack, error) { return readPackTable(l) }

// sealPadded compresses, pads and seals an object: a length in front of the
// compressed bytes, then zeros up to what Padmé says, so that the sealed length
// tells only the order of magnitude.
func sealPadded(key *[32]byte, plain []byte) ([]byte, error) {
	if len(plain) > maxObject {
		return nil, fmt.Errorf("an object of %d bytes is too large", len(plain))
	}
	inner := make([]byte, 4, len(plain)/2+minObject)
	inner = encoder().EncodeAll(plain, inner)
	binary.LittleEndian.PutUint32(inner, uint32(len(inner)-4))
	size := max(minObject, Padme(len(inner)+boxSize)) - boxSize
	inner = append(inner, make([]byte, size-len(inner))...)
	return seal(key, nil, inner), nil
}

func openPadded(key *[32]byte, sealed []byte) ([]byte, error) {
	inner, err := open(key, nil, sealed)
	if err != nil {
		return nil, err
	}
	if len(inner) < 4 {
		return nil, fmt.Errorf("%w: empty box", ErrFormat)
	}
	n := int64(binary.LittleEndian.Uint32(inner))
	if n > int64(len(inner)-4) {
		return nil, fmt.Errorf("%w: box larger than it says", ErrFormat)
	}
	plain, err := decoder().DecodeAll(inner[4:4+n], nil) // bounded by maxObject
	if err != nil {
		return nil, fmt.Errorf("%w: box that does not decompress", ErrFormat)
	}
	return plain, nil
}

// SortedPacks returns the IDs of packs in the order of the pack table.
func SortedPacks(packs map[PackID]Pack) []PackID {
	return slices.SortedFunc(maps.Keys(packs), func(a, b PackID) int { return bytes.Compare(a[:], b[:]) })
}

// SealSmall seals a few bytes of the vault under a key of their kind: no
// padding, 40 bytes longer than plain.
func (k *Keys) SealSmall(kind string, plain []byte) []byte { return seal(k.record(kind), nil, plain) }

// OpenSmall opens what SealSmall returned for the same kind.
func (k *Keys) OpenSmall(kind string, sealed []byte) ([]byte, error) {
	return open(k.record(kind), nil, sealed)
}
