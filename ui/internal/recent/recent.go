// Package recent takes files off the desktop's list of recently used ones;
// gotk3 lacks the call.
package recent

// #cgo pkg-config: gtk+-3.0
// #include <gtk/gtk.h>
import "C"

import (
	"net/url"
	"unsafe"
)

// Forget takes a file off the list. It belongs on GTK's thread. That the file is
// not on the list is as good.
func Forget(path string) {
	uri := C.CString((&url.URL{Scheme: "file", Path: path}).String())
	defer C.free(unsafe.Pointer(uri))
	C.gtk_recent_manager_remove_item(C.gtk_recent_manager_get_default(), uri, nil)
}
