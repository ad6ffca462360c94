// Package drop decides who takes what is dropped; gotk3 lacks the call.
package drop

// #cgo pkg-config: gtk+-3.0
// #include <gtk/gtk.h>
// static void pass(guintptr widget) {
//     gtk_drag_dest_unset(GTK_WIDGET((gpointer)widget));
// }
import "C"

// Widget is any gotk3 widget.
type Widget interface{ Native() uintptr }

// Pass makes w take nothing itself: what is dropped on it is dropped on what it
// is in.
func Pass(w Widget) { C.pass(C.guintptr(w.Native())) }
