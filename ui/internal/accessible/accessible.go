// Package accessible is the little that gotk3 lacks for people who hear the
// window instead of seeing it, and for those who use it without a mouse.
package accessible

// #cgo pkg-config: gtk+-3.0
// #include <gtk/gtk.h>
// static void set_name(guintptr widget, const char *name) {
//     atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET((gpointer)widget)), name);
// }
// static void focus_first(guintptr widget) {
//     GtkWidget *w = GTK_WIDGET((gpointer)widget);
//     if (gtk_container_get_focus_child(GTK_CONTAINER(w)) == NULL) {
//         gtk_widget_child_focus(w, GTK_DIR_TAB_FORWARD);
//     }
// }
import "C"

import "unsafe"

// Widget is any gotk3 widget.
type Widget interface{ Native() uintptr }

// SetName says what w is, in the person's language. Widgets of .ui files have
// their names there.
func SetName(w Widget, name string) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	C.set_name(C.guintptr(w.Native()), c)
}

// FocusFirst gives the keyboard to the first widget in w that takes it, unless
// one of them has it: a stack that shows another page does so sometimes.
func FocusFirst(w Widget) { C.focus_first(C.guintptr(w.Native())) }
