package snapshot

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"

	"hiddenbackup/tahoeclient"
)

// kindCare is the record that lists what a caretaker looks after.
const kindCare = "care"

// A CareKey opens the care list and nothing else: it is what a caretaker gets
// in the place of the root secret.
type CareKey [32]byte

// CareKey derives the key of the care list.
func (k *Keys) CareKey() CareKey { return CareKey(*k.record(kindCare)) }

// Format keeps the key out of every print.
func (CareKey) Format(f fmt.State, _ rune) { io.WriteString(f, "snapshot.CareKey[redacted]") }

// Identity is Keys.Identity for a caretaker.
func (k CareKey) Identity(use string) (id [32]byte) {
	b, err := hkdf.Key(sha256.New, k[:], nil, labelIdentity+use, len(id))
	if err != nil {
		panic(err) // only for lengths beyond 255 hashes
	}
	copy(id[:], b)
	return id
}

// careList is the plain form: version, then capabilities.
type careList struct {
	_       struct{} `cbor:",toarray"`
	Version uint
	Caps    []string
}

// Seal returns the sealed, padded list of immutable files to look after, which
// the vault directory does not name itself.
func (k CareKey) Seal(files []tahoeclient.Cap) ([]byte, error) {
	list := careList{Version: Version}
	for _, c := range files {
		list.Caps = append(list.Caps, c.Secret())
	}
	plain, err := encMode.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("writing the care list: %w", err)
	}
	return sealPadded((*[32]byte)(&k), plain)
}

// Open returns what Seal was given.
func (k CareKey) Open(sealed []byte) ([]tahoeclient.Cap, error) {
	plain, err := openPadded((*[32]byte)(&k), sealed)
	if err != nil {
		return nil, err
	}
	var list careList
	if err := decMode.Unmarshal(plain, &list); err != nil {
		return nil, fmt.Errorf("%w: care list: %v", ErrFormat, err)
	}
	if list.Version != Version {
		return nil, ErrVersion
	}
	files := make([]tahoeclient.Cap, len(list.Caps))
	for i, text := range list.Caps {
		if files[i], err = tahoeclient.ParseCap(text); err != nil {
			return nil, fmt.Errorf("care list: %w", err)
		}
		if c := files[i]; c.IsMutable() || c.IsDirectory() || !c.CanRead() {
			return nil, fmt.Errorf("%w: care list with something else than files", ErrFormat)
		}
	}
	return files, nil
}
