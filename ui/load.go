package ui

import (
	"fmt"
	"reflect"

	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"

	"hiddenbackup/assets"
)

// load builds the .ui file of that name and puts its widgets into the fields of
// the struct that widgets points to:
//
//	type homePage struct {
//		*page
//		BackUpButton *gtk.Button `ui:"back_up_button"`
//	}
//
// It panics when a file and its struct do not fit: assets/ui_test.go finds that
// without a screen.
func load(name string, widgets any) *gtk.Builder {
	text, err := assets.UI(name)
	if err != nil {
		panic(err)
	}
	b, err := gtk.BuilderNew()
	if err == nil {
		err = b.AddFromString(text)
	}
	if err != nil {
		panic(fmt.Sprintf("%s.ui: %v", name, err))
	}
	b.Unref() // gotk3 takes one reference too many: all widgets of the file would stay in memory
	v := reflect.ValueOf(widgets).Elem()
	for i := range v.NumField() {
		id, ok := v.Type().Field(i).Tag.Lookup("ui")
		if !ok {
			continue
		}
		object := objectOf(b, name, id)
		if have := reflect.TypeOf(object); have != v.Field(i).Type() {
			panic(fmt.Sprintf("%s.ui: %s is a %s, not a %s", name, id, have, v.Field(i).Type()))
		}
		v.Field(i).Set(reflect.ValueOf(object))
	}
	return b
}

func objectOf(b *gtk.Builder, name, id string) glib.IObject {
	object, err := b.GetObject(id)
	if err != nil {
		panic(fmt.Sprintf("%s.ui: %s: %v", name, id, err))
	}
	return object
}

// must is for making widgets, which fails only when memory is out.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
