package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Save writes data to a new file of mode 0600: whole or not at all, even if power goes.
// It never replaces a file; that is ErrExists, and Replace is for those who mean it.
func Save(path string, data []byte) error {
	return save(path, data, func(temp string) error {
		if err := os.Link(temp, path); err == nil {
			return os.Remove(temp)
		} else if errors.Is(err, fs.ErrExist) {
			return ErrExists
		}
		// A memory stick with FAT has no links. Looking first leaves a moment in which
		// another program could put a file there; nobody shares a stick that closely.
		if _, err := os.Lstat(path); err == nil {
			return ErrExists
		}
		return os.Rename(temp, path)
	})
}

// Replace is Save that puts data in the place of whatever file is there, behind a
// link, too.
func Replace(path string, data []byte) error {
	if behind, err := filepath.EvalSymlinks(path); err == nil {
		path = behind
	}
	return save(path, data, func(temp string) error { return os.Rename(temp, path) })
}

func save(path string, data []byte, place func(temp string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".manifest-*") // 0600
	if err != nil {
		return fmt.Errorf("saving the manifest: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("saving the manifest: %w", err)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := place(f.Name()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name last. Some file systems cannot, and say so with EINVAL.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// Load reads the manifest file at path in any form, and stops at 1 MiB.
func Load(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loading the manifest: %w", err)
	}
	defer f.Close()
	return Read(f)
}
