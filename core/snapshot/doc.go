// Package snapshot holds the formats of what a vault stores on the grid and
// nothing else: no disk, no network.
//
//	file bytes → chunks (content-defined, named by SHA-256)
//	           → sealed chunks → packs (one immutable Tahoe file each)
//	entries    → listing (CBOR sequence in path order), cut and packed like a file
//	snapshot   → one sealed object: folders, totals, listing chunks, pack table
//
// Everything is sealed with NaCl secretbox under keys that HKDF-SHA256 derives
// from the manifest's root secret, one per purpose, so that an object of one
// kind never opens as another. Tahoe encrypts once more outside; our seal is
// what lets a caretaker hold read-caps, and what keeps sizes and names from
// whoever holds one.
//
// All integers outside CBOR are little-endian.
package snapshot
