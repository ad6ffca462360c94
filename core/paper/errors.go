package paper

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	// ErrNoCode: no QR code in the picture can be read.
	ErrNoCode = errors.New("there is no QR code in this picture that can be read")
	// ErrOtherCode: the QR code holds something else than a manifest.
	ErrOtherCode = errors.New("the QR code in this picture is not a manifest's")
	// ErrParts: some of a manifest's QR codes are not there; a *PartsError names them.
	ErrParts = errors.New("some of the manifest's QR codes are missing")
	// ErrMixed: the QR codes belong to two manifests.
	ErrMixed = errors.New("these QR codes belong to different manifests")
	// ErrDamaged: the text of a QR code is not as it was written.
	ErrDamaged = errors.New("the text of the QR code is damaged")
	// ErrPicture: a picture that is broken or of a kind this program cannot read.
	ErrPicture = errors.New("this picture cannot be read")
	// ErrTooLarge: a file or picture beyond what is looked at.
	ErrTooLarge = errors.New("this file is too large")
	// ErrLetters: the card's fonts lack a letter of the owner's text.
	ErrLetters = errors.New("the text for the card has letters that cannot be printed")
	// ErrDifferent: a whole manifest, and not the one the words name.
	ErrDifferent = errors.New("this is not the copy that these words name")
)

// PartsError names the QR codes that are missing. It is an ErrParts for errors.Is.
type PartsError struct {
	Missing []int // by the numbers printed beside the codes
	Of      int
}

func (e *PartsError) Error() string {
	var names []string
	for i := 0; i < len(e.Missing); i++ {
		first := i
		for i+1 < len(e.Missing) && e.Missing[i+1] == e.Missing[i]+1 {
			i++
		}
		switch name := strconv.Itoa(e.Missing[first]); {
		case i > first+1:
			names = append(names, fmt.Sprintf("%s to %d", name, e.Missing[i]))
		case i > first:
			names = append(names, name, strconv.Itoa(e.Missing[i]))
		default:
			names = append(names, name)
		}
	}
	if len(e.Missing) == 1 {
		return fmt.Sprintf("QR code %s of %d is missing", names[0], e.Of)
	}
	return fmt.Sprintf("QR codes %s of %d are missing", strings.Join(names, ", "), e.Of)
}

// Unwrap makes a PartsError an ErrParts.
func (e *PartsError) Unwrap() error { return ErrParts }
