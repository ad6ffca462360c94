// Package gettext translates through the C library: one catalogue for what Go
// says and for what the .ui files say, because GTK asks the same one.
//
// A message stands in double quotes, in one literal, so that xgettext finds it:
//
//	xgettext -L C --keyword=T --keyword=N:1,2 --keyword=X:1c,2
package gettext

// #include <libintl.h>
// #include <locale.h>
// #include <stdlib.h>
import "C"

import "unsafe"

// Init takes the language from the environment and the catalogues from dir. It
// is called once, before GTK starts. Without a catalogue everything stays
// English.
func Init(domain, dir string) {
	d, p, empty, utf8 := C.CString(domain), C.CString(dir), C.CString(""), C.CString("UTF-8")
	defer C.free(unsafe.Pointer(d))
	defer C.free(unsafe.Pointer(p))
	defer C.free(unsafe.Pointer(empty))
	defer C.free(unsafe.Pointer(utf8))
	C.setlocale(C.LC_ALL, empty)
	C.bindtextdomain(d, p)
	C.bind_textdomain_codeset(d, utf8)
	C.textdomain(d)
}

// T translates a message. The empty one, which names the catalogue's header,
// stays empty.
func T(message string) string {
	if message == "" {
		return ""
	}
	c := C.CString(message)
	defer C.free(unsafe.Pointer(c))
	return C.GoString(C.gettext(c))
}

// N translates a message that depends on a number; the number itself is put in
// by the caller.
func N(one, many string, n int64) string {
	c1, c2 := C.CString(one), C.CString(many)
	defer C.free(unsafe.Pointer(c1))
	defer C.free(unsafe.Pointer(c2))
	return C.GoString(C.ngettext(c1, c2, C.ulong(max(n, 0))))
}

// X translates a message that is one word here and another there: context says
// which is meant.
func X(context, message string) string {
	key := context + "\x04" + message
	if t := T(key); t != key {
		return t
	}
	return message
}
