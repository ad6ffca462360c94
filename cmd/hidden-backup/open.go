package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"hiddenbackup/core"
	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
	"hiddenbackup/core/progress"
)

// maxPassphrase bounds what is read of a passphrase's line.
const maxPassphrase = 4096

// manifestBytes reads the manifest that --manifest names. A picture of its QR
// code and that code's text are as good as the file.
func (a *app) manifestBytes() ([]byte, error) {
	data, err := a.anyManifest()
	if err != nil {
		return nil, err
	}
	return paper.Extract(data)
}

// rewritable is manifestBytes for what seals the manifest again in its place.
func (a *app) rewritable(what string) ([]byte, error) {
	if a.manifest == "-" {
		return nil, usage("%s needs the manifest as a file, to write it again", what)
	}
	data, err := a.anyManifest()
	if err != nil {
		return nil, err
	}
	sealed, err := paper.Extract(data)
	if err == nil && !bytes.Equal(data, sealed) {
		return nil, usage("%s writes the manifest again, and %s is a QR code; “manifest convert --binary -o FILE” makes a file of it", what, a.manifest)
	}
	return data, err
}

// open asks for the passphrase and opens the manifest.
func (a *app) open(ctx context.Context) (*manifest.Opened, error) {
	data, err := a.manifestBytes()
	if err != nil {
		return nil, err
	}
	pass, err := a.passphrase(ctx, "Passphrase: ")
	if err != nil {
		return nil, err
	}
	defer clear(pass)
	return a.unseal(ctx, data, pass)
}

// unseal opens a manifest and shows that something happens: the key takes a
// second or more on purpose.
func (a *app) unseal(ctx context.Context, data, pass []byte) (*manifest.Opened, error) {
	t := new(progress.Tracker)
	t.SetPhase(progress.PhaseUnlock)
	stop := a.watch(t)
	type result struct {
		opened *manifest.Opened
		err    error
	}
	done := make(chan result, 1)
	own := bytes.Clone(pass) // the caller wipes its own when we leave early
	go func() {
		defer clear(own)
		opened, err := manifest.Open(data, own)
		done <- result{opened, err}
	}()
	defer stop()
	select {
	case r := <-done:
		return r.opened, r.err
	case <-ctx.Done(): // the key is not finished for nobody: the process ends
		return nil, context.Cause(ctx)
	}
}

// passphrase gets the passphrase of an existing manifest from where the flags
// say, or from the terminal, without echo. The caller wipes it.
func (a *app) passphrase(ctx context.Context, prompt string) ([]byte, error) {
	switch {
	case a.passphraseFile != "":
		f, err := os.Open(a.passphraseFile)
		if err != nil {
			return nil, fmt.Errorf("reading the passphrase: %w", err)
		}
		defer f.Close()
		return firstLine(f)
	case a.passphraseFD >= 0:
		f := os.NewFile(uintptr(a.passphraseFD), "passphrase")
		if f == nil {
			return nil, usage("--passphrase-fd %d is not an open file", a.passphraseFD)
		}
		defer f.Close()
		if _, err := f.Stat(); err != nil {
			return nil, usage("--passphrase-fd %d is not an open file", a.passphraseFD)
		}
		return firstLine(f)
	}
	tty, err := terminal()
	if err != nil {
		return nil, err
	}
	defer tty.Close()
	return readHidden(ctx, tty, prompt)
}

func terminal() (*os.File, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, usage("there is no terminal to ask for the passphrase; use --passphrase-fd or --passphrase-file")
	}
	return tty, nil
}

// readHidden reads a line without echo. When ctx ends first, the terminal gets
// its echo back; the read itself ends with the process.
func readHidden(ctx context.Context, tty *os.File, prompt string) ([]byte, error) {
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("asking for the passphrase: %w", err)
	}
	fmt.Fprint(tty, prompt)
	type answer struct {
		line []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		typed <- answer{line, err}
	}()
	defer fmt.Fprintln(tty)
	select {
	case got := <-typed:
		if got.err == nil && len(got.line) == 0 {
			return nil, usage("the passphrase is empty")
		}
		return got.line, got.err
	case <-ctx.Done():
		term.Restore(fd, state)
		return nil, context.Cause(ctx)
	}
}

func firstLine(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReaderSize(io.LimitReader(r, maxPassphrase+1), maxPassphrase+1).ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("reading the passphrase: %w", err)
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 {
		return nil, usage("the passphrase is empty")
	}
	if len(line) > maxPassphrase {
		return nil, usage("the passphrase is longer than %d bytes", maxPassphrase)
	}
	return line, nil
}

// shownWidth is room for seven words of nine letters and what stands before.
const shownWidth = 80

// newPassphrase gets one for a manifest to be sealed: from the flags, or
// generated, shown on the terminal and typed back. choose lets the owner make
// one up.
func (a *app) newPassphrase(ctx context.Context, choose bool) ([]byte, error) {
	if a.passphraseFile != "" || a.passphraseFD >= 0 {
		pass, err := a.passphrase(ctx, "")
		if err != nil {
			return nil, err
		}
		return pass, manifest.CheckStrength(pass)
	}
	if choose {
		return a.chosenPassphrase(ctx)
	}
	generated, bits, err := manifest.GeneratePassphrase()
	if err != nil {
		return nil, err
	}
	// On the terminal only: standard error may be a file.
	tty, err := terminal()
	if err != nil {
		return nil, err
	}
	defer tty.Close()
	for {
		// Shown, then erased: typing it back is to prove memory, not copying.
		fmt.Fprintf(tty, "Your passphrase, %.0f bits strong:\n\n    %s\n\nLearn it by heart. Nobody can recover it,\nand without it the manifest is noise.\n", bits, generated)
		if _, err := readHidden(ctx, tty, "Press Enter when you know it; then it is erased here. "); err != nil && ctx.Err() != nil {
			return nil, err
		}
		erase := "\x1b[7A\x1b[J" // the seven lines above
		if width, _, err := term.GetSize(int(tty.Fd())); err != nil || width < shownWidth {
			erase = "\x1b[H\x1b[2J\x1b[3J" // they were folded into more
		}
		fmt.Fprint(tty, erase)
		typed, err := readHidden(ctx, tty, "Type it back: ")
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		same := bytes.Equal(bytes.ToLower(bytes.Join(bytes.Fields(typed), []byte(" "))), generated)
		clear(typed)
		if same {
			return generated, nil
		}
		fmt.Fprint(tty, "That was not it. Once more, or stop with Ctrl-C.\n\n")
	}
}

func (a *app) chosenPassphrase(ctx context.Context) ([]byte, error) {
	first, err := a.passphrase(ctx, "New passphrase: ")
	if err != nil {
		return nil, err
	}
	if err := manifest.CheckStrength(first); err != nil {
		return nil, err
	}
	second, err := a.passphrase(ctx, "The same again: ")
	if err != nil {
		return nil, err
	}
	defer clear(second)
	if !bytes.Equal(first, second) {
		return nil, usage("the two were not the same")
	}
	return first, nil
}

// withGrid opens the manifest, connects, and runs work on the grid; progress is
// shown throughout, and what Connect started is stopped at the end.
func (a *app) withGrid(ctx context.Context, work func(*core.Grid, *progress.Tracker) error) error {
	opened, err := a.open(ctx)
	if err != nil {
		return err
	}
	return a.withOpened(ctx, opened, work)
}

// withWriter is withGrid for what changes the vault: a manifest that does not
// allow it is refused before anything is started.
func (a *app) withWriter(ctx context.Context, work func(*core.Grid, *progress.Tracker) error) error {
	opened, err := a.open(ctx)
	if err != nil {
		return err
	}
	if err := mayWrite(opened); err != nil {
		return err
	}
	return a.withOpened(ctx, opened, work)
}

// mayWrite is an ErrReadOnly for a manifest that only allows restoring.
func mayWrite(opened *manifest.Opened) error {
	if _, err := opened.NeedReader(); err != nil {
		return err
	}
	if opened.Owner == nil {
		return core.ErrReadOnly
	}
	return nil
}

func (a *app) withOpened(ctx context.Context, opened *manifest.Opened, work func(*core.Grid, *progress.Tracker) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	access, err := core.NewAccess(opened)
	if err != nil {
		return err
	}
	t := new(progress.Tracker)
	stop := a.watch(t)
	defer stop()
	g, err := core.Connect(ctx, a.config, access, t)
	if err != nil {
		return err
	}
	err = work(g, t)
	if cerr := g.Close(); err == nil {
		err = cerr
	}
	return err
}
