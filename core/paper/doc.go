// Package paper carries a sealed manifest over paper and telephones: as QR codes, as a printed
// card for a holder, and back from a photograph, a scan or pasted text.
//
// Here are the text form of a QR code, pictures of it, the card, and the reading of pictures.
// Not here: what is inside a manifest, its armour and its four words, which are the manifest
// package's. Nothing here needs a passphrase or learns one.
//
//	sealed bytes → QRText → modules → PNG, SVG, card
//	picture → grey → areas → corners → modules → QR text → FromQRText → sealed bytes
//
// # QR text, version 1
//
// A sealed manifest has 2 KiB times 1, 2, 4 … 64. Each 2 KiB are one QR code:
//
//	HIDDEN BACKUP QR V1 PART 1 OF 1 BYTES 2048 SET 1QG7NF1KJQ9F41CK XM3NG00H… 5T2KV09Q
//
// In order: a header in words; the version; the number of this part and how many there are; the
// size of the whole; the set, 16 letters; the part's 2048 bytes, 3277 letters; a check, 8
// letters. All letters are Crockford's base32 of big-endian bits, as in the armour.
//
// The set is the first 80 bits of SHA-256 over "hidden-backup qr v1 set" and all sealed bytes:
// it names the manifest that a part belongs to and proves the whole. The check is the first 40
// bits of SHA-256 over "hidden-backup qr v1 part", the part's number, the number of parts and
// the size (four bytes each, big-endian), the set as it is written, and the part's bytes.
//
// The text stays within QR's alphanumeric mode. It is text and not bytes because telephones show
// text, and what they show can be copied into a message; and it begins with words, because what
// begins like an address is opened by telephones instead of shown. Reading takes out all white
// space and does not care for case, so a message may fold it anywhere.
//
// Each code is of version 40 with error correction M: 177 modules on a side, of which up to 15
// percent may be unreadable. 3350 of its 3391 letters are used. Being always of one size helps
// reading: see sample.go. In one picture the codes stand row by row in a grid that is square or
// twice as wide as high, each with its quiet zone of four modules.
//
// # Card
//
// A PDF of A4 pages: what it is, the first QR code, the four words, the day, how to check it,
// what the owner says of whom to give it to, further codes, the armour. No name of the backup or
// its owner, no precise time and nothing of the machine is in it, unless she writes it.
//
// What she writes is printed with the viewer's Helvetica if Windows-1252 has all its letters.
// Otherwise DejaVu Sans of the system goes into the PDF: Latin of any kind, Greek, Cyrillic,
// Armenian, Georgian, Hebrew, Arabic. It has no Chinese, Japanese, Korean and no scripts of
// India; ErrLetters says so instead of printing boxes. Hebrew, Arabic and Persian are put in
// order and joined by a small part of the rules: enough for a line or two, without vowel signs,
// and numbers within Arabic within a Latin line may stand in the wrong order. Look at the page.
//
// # Reading pictures
//
// PNG and JPEG, at most 32 MiB and 64 million pixels, which is asked before any is decoded. A
// picture is cut along its white gaps, which finds all codes of a scan or a screenshot, and
// then looked at whole in several sizes, which finds those of a photograph; turned, aslant, bent
// and dim ones too. It ends fifteen seconds after it last found anything, give or take one look.
package paper
