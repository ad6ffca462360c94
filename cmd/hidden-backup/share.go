package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hiddenbackup/core/manifest"
	"hiddenbackup/core/paper"
)

// shareFlags are the copies that “manifest share” makes.
type shareFlags struct {
	qr   []string
	text string
	copy string
	to   string

	caretaker, label, person string
}

func (a *app) shareCommand() *cobra.Command {
	var f shareFlags
	c := &cobra.Command{
		Use:   "share",
		Short: "Make copies for holders: a printed card, a QR code, text; or a caretaker's file",
		Long: `Make copies of a sealed manifest for the people who keep it: a card to print, a
picture of a QR code, text for a message, or the file as it is. All of them are the
same manifest under the same passphrase, and nobody can read it without that. The
passphrase is not needed to make them.

  hidden-backup manifest share -m my.manifest --qr card.pdf --to "Only to me, when I ask for the lighthouse."`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.caretaker != "" {
				return a.shareCare(c.Context(), f)
			}
			if c.Flags().Changed("label") || f.person != "" {
				return usage("--label and --person belong to --caretaker FILE")
			}
			return a.share(f)
		},
	}
	c.Flags().StringArrayVar(&f.qr, "qr", nil, "write a QR code to `FILE`, by its ending .png, .svg, or .pdf for a card to print; may be repeated")
	c.Flags().StringVar(&f.text, "text", "", "write the text form to `FILE`, for e-mail and chat")
	c.Flags().StringVar(&f.copy, "copy", "", "write the sealed bytes to `FILE`")
	c.Flags().StringVar(&f.to, "to", "", "print on the card whom to give it to and on what sign, in your words")
	c.Flags().StringVar(&f.caretaker, "caretaker", "", "write a caretaker's file to `FILE`: it keeps the backup alive and reads nothing; needs the passphrase")
	c.Flags().StringVar(&f.label, "label", "a backup to look after", "what the caretaker sees it called")
	c.Flags().StringVar(&f.person, "person", "", "note the caretaker under this `NAME` in the list of holders")
	return c
}

// copyFile is one file to write and how it is made.
type copyFile struct {
	path, kind string
	write      func(io.Writer) error
}

func (f shareFlags) files(c paper.Copy) (files []copyFile, err error) {
	cards := 0
	for _, path := range f.qr {
		file := copyFile{path: path}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".png":
			file.kind, file.write = "picture", func(w io.Writer) error { return paper.WritePNG(w, c.Sealed) }
		case ".svg":
			file.kind, file.write = "drawing", func(w io.Writer) error { return paper.WriteSVG(w, c.Sealed) }
		case ".pdf":
			cards++
			file.kind, file.write = "card", func(w io.Writer) error {
				return paper.WriteCard(w, paper.Card{Sealed: c.Sealed, To: f.to, Made: time.Now()})
			}
		default:
			return nil, usage("--qr %s: the name has to end in .png, .svg or .pdf", path)
		}
		files = append(files, file)
	}
	if f.to != "" && cards == 0 {
		return nil, usage("--to is printed on a card: add --qr FILE.pdf")
	}
	if f.text != "" {
		files = append(files, copyFile{f.text, "text", func(w io.Writer) error {
			armour, err := manifest.Armour(c.Sealed)
			if err != nil {
				return err
			}
			_, err = w.Write(armour)
			return err
		}})
	}
	if f.copy != "" {
		files = append(files, copyFile{f.copy, "copy", func(w io.Writer) error {
			_, err := w.Write(c.Sealed)
			return err
		}})
	}
	if len(files) == 0 {
		return nil, usage("what kind of copy? --qr FILE.pdf for a card to print, --qr FILE.png, --text FILE or --copy FILE")
	}
	seen := map[string]bool{}
	for _, file := range files {
		if path := filepath.Clean(file.path); seen[path] {
			return nil, usage("%s is named twice", file.path)
		} else {
			seen[path] = true
		}
		if _, err := os.Lstat(file.path); err == nil {
			return nil, fmt.Errorf("%w: %s", manifest.ErrExists, file.path)
		}
	}
	return files, nil
}

func (a *app) share(f shareFlags) error {
	data, err := a.anyManifest()
	if err != nil {
		return err
	}
	c, err := paper.Inspect(data)
	if err != nil {
		return err
	}
	files, err := f.files(c)
	if err != nil {
		return err
	}
	// All are made before the first is written: what cannot be made leaves nothing behind.
	made := make([]bytes.Buffer, len(files))
	for i, file := range files {
		if err := file.write(&made[i]); err != nil {
			return err
		}
	}
	for i, file := range files {
		if err := manifest.Save(file.path, made[i].Bytes()); err != nil {
			return err
		}
	}
	a.printShared(files, c)
	return nil
}

func (a *app) printShared(files []copyFile, c paper.Copy) {
	if a.json {
		var list []map[string]any
		for _, file := range files {
			list = append(list, map[string]any{"file": file.path, "kind": file.kind})
		}
		printJSON(a.out, map[string]any{"type": "report", "command": "manifest share", "files": list, "words": c.Words})
		return
	}
	for _, file := range files {
		fmt.Fprintf(a.out, "Written to %s: %s.\n", shown(file.path), map[string]string{
			"card": "a card to print, on A4", "picture": "a picture of the QR code", "drawing": "a drawing of the QR code, for printing",
			"text": "the text form", "copy": "the sealed bytes"}[file.kind])
	}
	fmt.Fprintf(a.out, `Four words: %s

Tell the holder, by voice if you can:
  - the four words. Her copy is whole if “hidden-backup manifest check FILE --words "…"”
    says so; it needs no passphrase. Then she reads them to you, and you note it with
    “manifest holders confirm”.
  - whom to give it to, and on what sign; to nobody else, and never to post it.
Never tell the passphrase. With it and any one copy, everything can be read.
`, c.Words)
}

// anyManifest is --manifest as it is, a picture included.
func (a *app) anyManifest() ([]byte, error) {
	switch a.manifest {
	case "":
		return nil, usage("which manifest? name it with --manifest FILE, or - for standard input")
	case "-":
		return paper.Read(a.in)
	}
	return paper.Load(a.manifest)
}

func (a *app) inspectCommand() *cobra.Command {
	var words string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say whether a copy of a manifest is whole; needs no passphrase",
		Long: `Say whether a copy of a manifest is whole: the file, its text form, a picture or the
text of its QR code; - is standard input. The passphrase is not needed. With --words
it says whether this is the copy those words name.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("words") && len(strings.Fields(words)) == 0 {
				return usage("--words takes the four words in quotes: --words “one two three four”")
			}
			return a.inspect(args[0], words)
		},
	}
	c.Flags().StringVar(&words, "words", "", "compare with the four `WORDS` that the owner read out")
	return c
}

func (a *app) inspect(path, words string) error {
	b := *a
	b.manifest = path
	data, err := b.anyManifest()
	if err != nil {
		return err
	}
	c, err := paper.Inspect(data)
	if err != nil {
		a.printDamage(err)
		return err
	}
	var written time.Time
	if info, err := os.Stat(path); err == nil && path != "-" {
		written = info.ModTime()
	}
	var different error
	if words != "" {
		different = c.Compare(words)
	}
	a.printCopy(c, written, words != "", different)
	return different
}

// printDamage names every line of the text form that is not as it was.
func (a *app) printDamage(err error) {
	var armour *manifest.ArmourError
	if !errors.As(err, &armour) || armour.Line == 0 {
		if a.json {
			printJSON(a.out, map[string]any{"type": "report", "command": "manifest check", "whole": false})
		}
		return
	}
	lines := append([]int{armour.Line}, armour.Others...)
	if a.json {
		printJSON(a.out, map[string]any{"type": "report", "command": "manifest check", "whole": false, "lines": lines})
		return
	}
	names := make([]string, len(lines))
	for i, n := range lines {
		names[i] = strconv.Itoa(n)
	}
	fmt.Fprintf(a.out, "Damaged or missing: %s %s.\n", map[bool]string{true: "line", false: "lines"}[len(lines) == 1], strings.Join(names, ", "))
}

func (a *app) printCopy(c paper.Copy, written time.Time, compared bool, different error) {
	if a.json {
		o := map[string]any{"type": "report", "command": "manifest check", "whole": true, "form": c.Form.String(), "bytes": len(c.Sealed),
			"words": c.Words, "proven": c.Form != paper.Bytes || compared && different == nil}
		if !written.IsZero() {
			o["written"] = written.UTC().Format(time.RFC3339)
		}
		if compared {
			o["same"] = different == nil
		}
		printJSON(a.out, o)
		return
	}
	fmt.Fprintf(a.out, "Form:        %s\nSize:        %s sealed\nFour words:  %s\n", c.Form, size(int64(len(c.Sealed))), c.Words)
	if !written.IsZero() {
		fmt.Fprintf(a.out, "File of:     %s\n", written.Format("2006-01-02 15:04"))
	}
	switch {
	case different != nil:
	case compared:
		fmt.Fprintln(a.out, "It is whole, and it is the copy that these words name.")
	case c.Form == paper.Bytes:
		fmt.Fprintln(a.out, "Its size is right. Sealed bytes have no check of their own: only the four words\nprove that this copy is whole. Compare them with the owner's, or give hers with --words.")
	default:
		fmt.Fprintln(a.out, "It is whole. Whether it is the newest, the four words tell: compare them with the owner's.")
	}
}
