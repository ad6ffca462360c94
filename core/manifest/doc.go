// Package manifest is the encrypted recovery file: what a person needs, beside a passphrase in
// her head, to get everything back on a blank machine.
//
// Here are its fields and their rules, its plain form for people, its sealed form for keeping,
// the armour for sending, the four words that name it, passphrases, and the files of the first
// hidden-tahoe-backup. Not here: talking to a grid, deriving the seals of packs from the root
// secret, writing a gateway's configuration.
//
//	fields → Validate → plain JSON → compress → pad → seal → (armour) → Save
//	Load → (armour) → open → unpad → decompress → strict JSON → Validate → fields
//
// Four powers are four different files. An owner manifest is everything, a reader manifest
// restores and nothing else, a caretaker's file keeps the backup alive and reads nothing, and
// the holder's copy is the sealed bytes. A caretaker's machine works unattended, so that file is
// usually left in its plain form; it can be sealed like the others. An opened
// manifest is still the word of whoever wrote it: every field has passed its grammar, and none
// is trusted beyond that.
//
// # Sealed form, version 1
//
//	 0  salt   32 random bytes, for argon2id
//	32  nonce  24 random bytes, for secretbox
//	56  box    NaCl secretbox (XSalsa20-Poly1305): 16 bytes of tag, then the packed text
//
// The whole file has 2, 4, 8, 16, 32, 64 or 128 KiB and looks like random bytes; nothing in it
// says what it is. Six onion servers with all their keys, an introducer, three folders and a pin
// need 1582 of the smallest size's 2048 bytes, and that size fits one QR code (at most 2953).
//
// The key: k = Argon2id(passphrase, salt, t=4, m=512 MiB, p=4, 32 bytes), then
// HKDF-SHA256(k, no salt, info "hidden-backup manifest v1", 32 bytes). These numbers belong to
// the version and are never read from a file: a forged file can neither make guessing cheap nor
// opening unbearable. A next version has another label, and is found by trying.
//
// The passphrase is stretched as UTF-8 in Unicode NFC, without white space at its ends, with one
// space for each run of white space within. If every word of it is in the EFF's large list,
// capitals do not count. So what was written on paper opens, however it is typed.
//
// The packed text is raw DEFLATE (RFC 1951) of the compact JSON with a preset dictionary, a
// byte 0x80, and zeros up to the size (ISO/IEC 7816-4). The dictionary is part of the version.
//
// Secretbox cannot tell a wrong passphrase from a damaged file, so ErrPassphrase names both.
// Whoever holds the four words, or the armour, can tell.
//
// # Plain form, version 1
//
// JSON of at most 64 KiB, in UTF-8. Unknown fields, fields given twice, null, other cases of a
// name, control characters and characters that reverse writing are refused. Secrets are 32
// bytes in lower case base32 without padding, as Tahoe writes them. A path that is not UTF-8
// cannot be held.
//
// # Armour, version 1
//
//	BEGIN HIDDEN BACKUP MANIFEST V1 LINES 69
//	001 60R2HNDB E7WRFTZX SJATSBC4 RCDJ3338 6S3QECJS BWFGC8BK KXH2
//	…
//	END HIDDEN BACKUP MANIFEST V1 CHECK 78871707 YQHYDW5T
//
// Each line is its number, up to 30 bytes in Crockford's base32, and 20 bits of SHA-256 over a
// label, the number and the bytes; the last line has 80 bits over a label and the sealed file.
// There are no dashes, because telephones turn two of them into one long one.
//
// # Fingerprint
//
// The first eight bytes of the SHA-256 of the sealed file as a big-endian number; four times,
// its remainder by 7776 is the index of a word in the EFF's large list, and the quotient goes on.
package manifest
