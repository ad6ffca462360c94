package tahoeclient

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// ReadOnly returns a capability that can read what c can read, and change
// nothing. It is c itself if c cannot write. Verify capabilities have none.
func (c Cap) ReadOnly() (Cap, error) {
	v := c.get()
	to := kinds[v.kind].read
	switch {
	case to == KindNone:
		return Cap{}, fmt.Errorf("%w: %s allows no reading", ErrBadCap, c)
	case to == v.kind:
		return c, nil
	}
	key, fingerprint := v.mutableParts()
	return mutableCap(to, readKey(key), fingerprint), nil
}

// Verifier returns the capability that names what c points at and allows
// neither reading nor writing. Literals have none.
func (c Cap) Verifier() (Cap, error) {
	v := c.get()
	to := kinds[v.kind].verify
	switch {
	case to == KindNone:
		return Cap{}, fmt.Errorf("%w: %s has no verify capability", ErrBadCap, c)
	case to == v.kind:
		return c, nil
	}
	if kinds[v.kind].form != formCHK {
		_, fingerprint := v.mutableParts()
		return mutableCap(to, v.storageIndex(), fingerprint), nil
	}
	f := strings.SplitN(v.uri, ":", 4) // URI, kind, key, and all that stays
	v.uri = "URI:" + to.String() + ":" + base32Lower.EncodeToString(v.storageIndex()) + ":" + f[3]
	v.kind = to
	return v.cap(), nil
}

// StorageIndex returns the name under which servers keep the shares, as Tahoe
// writes it. Literals have none.
func (c Cap) StorageIndex() (string, bool) {
	v := c.get()
	if f := kinds[v.kind].form; f == 0 || f == formLIT {
		return "", false
	}
	return base32Lower.EncodeToString(v.storageIndex()), true
}

// storageIndex must not be called for literals.
func (v capability) storageIndex() []byte {
	key, _ := decode32(strings.SplitN(v.uri, ":", 4)[2])
	k := kinds[v.kind]
	switch {
	case k.power == powerVerify:
		return key
	case k.form == formCHK:
		return taggedHash("allmydata_immutable_key_to_storage_index_v1", key)
	case k.power == powerWrite:
		key = readKey(key)
	}
	return taggedHash("allmydata_mutable_readkey_to_storage_index_v1", key)
}

// mutableParts returns the key, decoded, and the fingerprint, as it stands in
// the capability. Hints are left out, as Tahoe does when it derives.
func (v capability) mutableParts() (key []byte, fingerprint string) {
	f := strings.Split(v.uri, ":")
	key, _ = decode32(f[2])
	return key, f[3]
}

func mutableCap(kind Kind, key []byte, fingerprint string) Cap {
	uri := "URI:" + kind.String() + ":" + base32Lower.EncodeToString(key) + ":" + fingerprint
	return capability{uri, facts{kind: kind}}.cap()
}

func readKey(writeKey []byte) []byte {
	return taggedHash("allmydata_mutable_writekey_to_readkey_v1", writeKey)
}

// taggedHash is the hash from which Tahoe derives weaker keys from stronger
// ones: SHA-256 twice, over the tag as a netstring and the value, cut to a key.
func taggedHash(tag string, value []byte) []byte {
	inner := sha256.Sum256(fmt.Appendf(nil, "%d:%s,%s", len(tag), tag, value))
	outer := sha256.Sum256(inner[:])
	return outer[:keyLength]
}

// literal returns the content of a LIT capability.
func (c Cap) literal() ([]byte, bool) {
	v := c.get()
	if v.kind != KindLIT {
		return nil, false
	}
	return decode32(strings.TrimPrefix(v.uri, "URI:LIT:"))
}
