package paper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"hiddenbackup/core/manifest"
)

// maxFile bounds what is read of a file: a photograph of a whole page fits.
const maxFile = 32 << 20

// Form is how a copy of a manifest was found.
type Form int

// The forms.
const (
	Bytes   Form = iota + 1 // sealed bytes as they are
	Armour                  // the armoured text
	QR                      // the text that a QR code holds
	Picture                 // a picture of QR codes
)

func (f Form) String() string {
	switch f {
	case Armour:
		return "text form"
	case QR:
		return "text of a QR code"
	case Picture:
		return "picture of a QR code"
	}
	return "sealed bytes"
}

// Copy is a whole copy of a sealed manifest, and what can be said of it without a passphrase.
type Copy struct {
	Form   Form
	Sealed []byte
	Words  string // its four words
}

// Read reads a copy in any form, pictures included, and stops at 32 MiB.
func Read(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%w: it has more than 32 MiB", ErrTooLarge)
	}
	return data, nil
}

// Load is Read of the file at path.
func Load(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loading the manifest: %w", err)
	}
	defer f.Close()
	return Read(f)
}

// Extract returns the sealed bytes that a picture of QR codes or their text holds, and anything
// else as it is: that is for the manifest package. A large picture without a code takes some
// hundred megabytes and, if it was made for that, fifteen seconds and more.
func Extract(data []byte) ([]byte, error) {
	_, out, err := extract(data)
	return out, err
}

// Inspect says what copy data holds, in whatever form, and that it is whole, as far as its form
// can tell: sealed bytes have no check of their own, so that only the words speak for them.
// Damage is manifest.ErrArmour, ErrDamaged or another error of the form.
func Inspect(data []byte) (Copy, error) {
	form, sealed, err := extract(data)
	if err != nil {
		return Copy{}, err
	}
	if form == 0 {
		form = Bytes
		switch whole, err := manifest.Dearmour(data); {
		case err == nil:
			form, sealed = Armour, whole
		case !errors.Is(err, manifest.ErrNotManifest):
			return Copy{}, err
		}
	}
	words, err := manifest.Words(sealed)
	if err != nil {
		return Copy{}, err
	}
	return Copy{Form: form, Sealed: sealed, Words: words}, nil
}

// Compare is ErrDifferent unless words are those of the copy. Capitals, spaces and what stands
// between the words do not count.
func (c Copy) Compare(words string) error {
	if !manifest.SameWords(words, c.Words) {
		return fmt.Errorf("%w: its own are “%s”", ErrDifferent, c.Words)
	}
	return nil
}

// extract returns the form, 0 if data is nothing of this package's.
func extract(data []byte) (Form, []byte, error) {
	switch {
	case isPicture(data):
		sealed, err := fromPicture(data)
		if errors.Is(err, ErrPicture) && checkSealed(data) == nil {
			// Sealed bytes are random: one in sixteen million begins as a photograph does.
			return 0, data, nil
		}
		return Picture, sealed, err
	case foreignKind(data) != "" && checkSealed(data) != nil:
		return 0, nil, fmt.Errorf("%w: it is of the kind %s", ErrPicture, foreignKind(data))
	case looksQRText(data):
		sealed, err := FromQRText(data)
		if err == nil {
			return QR, sealed, nil
		}
		// An e-mail may hold the armour beside a damaged QR text.
		if whole, aerr := manifest.Dearmour(data); aerr == nil {
			return Armour, whole, nil
		}
		return QR, nil, err
	}
	return 0, data, nil
}

func fromPicture(data []byte) ([]byte, error) {
	g, err := decodePicture(data)
	if err != nil {
		return nil, err
	}
	var sealed []byte
	read := func(texts []string) bool {
		sealed, err = FromQRText([]byte(strings.Join(texts, "\n")))
		return err == nil || errors.Is(err, ErrMixed)
	}
	texts := findCodes(g, read)
	switch {
	case len(texts) == 0:
		return nil, ErrNoCode
	case read(texts):
		return sealed, err
	case errors.Is(err, manifest.ErrNotManifest):
		return nil, ErrOtherCode
	}
	return nil, err
}
