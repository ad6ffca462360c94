package tahoeclient

import (
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
)

const (
	// The longest form without hints, DIR2-CHK-Verifier, has about 130 bytes;
	// hints of MDMF capabilities, which old versions of Tahoe wrote, are short.
	maxCapLength = 512

	maxLiteral = 55 // bytes; Tahoe stores anything longer as CHK
	maxShares  = 256

	keyLength  = 16 // bytes: key, write key, read key, storage index
	hashLength = 32 // bytes: UEB hash, fingerprint
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// kindByName finds a kind by the text between "URI:" and the next colon.
var kindByName = func() map[string]Kind {
	m := make(map[string]Kind)
	for k := range kinds {
		if Kind(k) != KindNone {
			m[kinds[k].name] = Kind(k)
		}
	}
	return m
}()

// ParseCap reads a capability. It accepts exactly the text that Tahoe writes,
// without surrounding space, and no future kinds ("ro.", "imm."). The error
// wraps ErrBadCap and holds nothing of s.
func ParseCap(s string) (Cap, error) {
	v, why := parse(s)
	if why != "" {
		return Cap{}, fmt.Errorf("%w: %s", ErrBadCap, why)
	}
	return v.cap(), nil
}

// parse returns the parts of s, or why it is no capability.
func parse(s string) (v capability, why string) {
	if len(s) > maxCapLength {
		return v, "too long"
	}
	rest, ok := strings.CutPrefix(s, "URI:")
	if !ok {
		return v, "it does not start with URI:"
	}
	name, rest, ok := strings.Cut(rest, ":")
	kind, known := kindByName[name]
	if !ok || !known {
		return v, "unknown kind"
	}
	v = capability{s, facts{kind: kind}}
	switch kinds[kind].form {
	case formLIT:
		why = v.parseLIT(rest)
	case formCHK:
		why = v.parseCHK(rest)
	case formSSK:
		why = v.parseSSK(rest)
	case formMDMF:
		why = v.parseMDMF(rest)
	}
	return v, why
}

func (v *capability) parseLIT(s string) (why string) {
	data, ok := decode32(s)
	if !ok {
		return "damaged literal data"
	}
	if len(data) > maxLiteral {
		return "too much literal data"
	}
	v.size = int64(len(data))
	return ""
}

func (v *capability) parseCHK(s string) (why string) {
	f := strings.Split(s, ":")
	if len(f) != 5 {
		return "wrong number of parts"
	}
	if !isBase32(f[0], keyLength) || !isBase32(f[1], hashLength) {
		return "damaged key or hash"
	}
	needed, ok1 := number(f[2])
	total, ok2 := number(f[3])
	size, ok3 := number(f[4])
	if !ok1 || !ok2 || !ok3 {
		return "damaged number"
	}
	if needed < 1 || needed > total || total > maxShares {
		return "impossible encoding"
	}
	v.needed, v.total, v.size = int(needed), int(total), size
	return ""
}

func (v *capability) parseSSK(s string) (why string) {
	key, fingerprint, ok := strings.Cut(s, ":")
	if !ok {
		return "wrong number of parts"
	}
	if !isBase32(key, keyLength) || !isBase32(fingerprint, hashLength) {
		return "damaged key or fingerprint"
	}
	return ""
}

func (v *capability) parseMDMF(s string) (why string) {
	f := strings.SplitN(s, ":", 3)
	if len(f) < 2 {
		return "wrong number of parts"
	}
	if len(f) == 3 && !isGraphic(f[2]) {
		return "damaged hint"
	}
	return v.parseSSK(f[0] + ":" + f[1])
}

// decode32 decodes the one canonical spelling of some bytes. Go's decoder
// alone would also take line breaks and stray bits at the end.
func decode32(s string) ([]byte, bool) {
	data, err := base32Lower.DecodeString(s)
	if err != nil || base32Lower.EncodeToString(data) != s {
		return nil, false
	}
	return data, true
}

func isBase32(s string, length int) bool {
	data, ok := decode32(s)
	return ok && len(data) == length
}

// number reads digits as Tahoe writes them: no sign and no leading zero.
func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == s
}

func isGraphic(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
