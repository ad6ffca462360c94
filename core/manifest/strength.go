package manifest

// Strength estimates a passphrase in bits, as cautiously as CheckStrength, and
// says how many are enough. What cannot be a passphrase at all has none.
func Strength(passphrase []byte) (bits, enough float64) {
	canonical, err := canonicalPassphrase(passphrase)
	if err != nil {
		return 0, enoughBits
	}
	defer wipe(canonical)
	return estimate(canonical), enoughBits
}
