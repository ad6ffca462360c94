package core

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
)

// ReadCopy reads what somebody chose as a copy of a manifest: a file of any
// content. It never waits for a pipe or a device to say something, and stops at
// a size that no manifest and no picture of one has.
func ReadCopy(path string) ([]byte, error) {
	f, err := openOrdinary(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return paper.Read(f)
}

// mostText is what a text that somebody was given may have at most.
const mostText = 64 << 10

// ReadText reads a file that should be a short text, as carefully as ReadCopy.
func ReadText(path string) (string, error) {
	f, err := openOrdinary(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostText+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the text: %w", err)
	case len(b) > mostText:
		return "", fmt.Errorf("%w: %q", paper.ErrTooLarge, path)
	case !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0:
		return "", fmt.Errorf("%w: %q is no text", manifest.ErrInvalid, path)
	}
	return string(b), nil
}

func openOrdinary(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, notOpened(path, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("opening the file: %w", err)
	case info.IsDir():
		err = fmt.Errorf("opening %q: %w", path, unix.EISDIR)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%w: %q is no ordinary file", manifest.ErrNotManifest, path)
	case info.Size() == 0:
		err = fmt.Errorf("%w: %q is empty", manifest.ErrNotManifest, path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// notOpened says why in words that can be shown: a name may be made to deceive,
// and what can never be opened as a file is no manifest.
func notOpened(path string, err error) error {
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("%w: %q is no ordinary file", manifest.ErrNotManifest, path)
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("opening %q: %w", path, err)
}
