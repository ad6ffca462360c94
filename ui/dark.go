package ui

import (
	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"
)

// followDarkStyle does what GTK 3 leaves out: it follows GNOME's switch for
// the dark style. Without that switch the settings of GTK itself decide.
func followDarkStyle() {
	const schema, key = "org.gnome.desktop.interface", "color-scheme"
	// Asking for a schema that is not installed would end the program.
	source := glib.SettingsSchemaSourceGetDefault()
	if source == nil {
		return
	}
	if found := source.Lookup(schema, true); found == nil || !found.HasKey(key) {
		return
	}
	switches := glib.SettingsNew(schema)
	follow := func() {
		if s, err := gtk.SettingsGetDefault(); err == nil {
			s.SetProperty("gtk-application-prefer-dark-theme", switches.GetString(key) == "prefer-dark")
		}
	}
	if switches.GetString(key) == "prefer-dark" {
		follow()
	}
	switches.Connect("changed::"+key, follow)
}
