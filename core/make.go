package core

import (
	"bytes"
	"context"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/progress"
)

// Made is a new manifest, sealed, and opened again from what was sealed.
type Made struct {
	Opened *manifest.Opened
	Sealed []byte
	Words  string // its four words
}

// MakeManifest makes a vault on the grid and seals the manifest that leads to
// it. Before it returns it opens the sealed form with the passphrase, so that
// what people keep is known to open.
func MakeManifest(ctx context.Context, c Config, d Draft, passphrase []byte, t *progress.Tracker) (Made, error) {
	m, err := CreateManifest(ctx, c, d, t)
	if err != nil {
		return Made{}, err
	}
	t.SetPhase(progress.PhaseUnlock)
	var made Made
	if made.Sealed, err = manifest.Seal(m, passphrase, nil); err != nil {
		return Made{}, err
	}
	if made.Opened, err = manifest.Open(made.Sealed, passphrase); err != nil {
		return Made{}, err
	}
	made.Words, err = manifest.Words(made.Sealed)
	return made, err
}

// SamePassphrase reports whether a passphrase that was typed back is the one
// that was chosen, as far as opening is concerned: white space does not count,
// nor do capitals where the chosen one has none.
func SamePassphrase(typed, chosen []byte) bool {
	typed = bytes.Join(bytes.Fields(typed), []byte(" "))
	chosen = bytes.Join(bytes.Fields(chosen), []byte(" "))
	defer clear(typed)
	defer clear(chosen)
	return len(chosen) > 0 && (bytes.Equal(typed, chosen) || bytes.Equal(bytes.ToLower(typed), chosen))
}
