package localfs

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	// ErrInTheWay says that something of another kind stands where a
	// directory or an entry belongs. It is never replaced or followed.
	ErrInTheWay = errors.New("something of another kind is in the way")
	// ErrExists says that the name is taken and was not to be replaced.
	ErrExists = errors.New("something of that name exists already")
	// ErrChanged says that a file is no longer the one that was looked at.
	ErrChanged = errors.New("it was replaced by something else meanwhile")
)

// MetaError lists metadata that could not be applied to an entry whose content
// is in place: a warning, not a failure. It does not unwrap, on purpose: to the
// kernel an attribute that does not fit is ENOSPC, and yet the disk is not full.
type MetaError struct {
	Path     []byte
	Problems []error
}

func (e *MetaError) Error() string {
	all := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		all[i] = p.Error()
	}
	return fmt.Sprintf("restoring metadata of %q: %s", e.Path, strings.Join(all, "; "))
}

// inTheWay translates what the kernel says when a component of a path is not
// the directory it should be, or a directory is where a file should go.
func inTheWay(err error) error {
	switch err {
	case unix.ENOTDIR, unix.ELOOP, unix.EISDIR, unix.ENOTEMPTY:
		return ErrInTheWay
	}
	return err
}

// again repeats f while a signal interrupts it, which network and FUSE file
// systems let happen.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
