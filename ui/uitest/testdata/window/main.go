// A small window for the tests of package uitest. With the argument "bad" it
// has the faults that the kit must find.
package main

import (
	"os"

	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"
)

const page = `<interface>
  <object class="GtkWindow" id="window">
    <property name="title">Greeter</property>
    <child><object class="GtkBox">
      <property name="visible">1</property>
      <property name="orientation">vertical</property>
      <child><object class="GtkLabel" id="name_label">
        <property name="visible">1</property>
        <property name="label">_Name</property>
        <property name="use-underline">1</property>
        <property name="mnemonic-widget">name</property>
      </object></child>
      <child><object class="GtkEntry" id="name"><property name="visible">1</property></object></child>
      <child><object class="GtkCheckButton" id="loud"><property name="visible">1</property><property name="label">Loud</property></object></child>
      <child><object class="GtkButton" id="greet"><property name="visible">1</property><property name="label">_Greet</property><property name="use-underline">1</property></object></child>
      <child><object class="GtkLabel" id="answer"><property name="visible">1</property></object></child>
      <child><object class="GtkButton" id="bad">
        <child><object class="GtkDrawingArea"><property name="visible">1</property><property name="width-request">3000</property></object></child>
      </object></child>
    </object></child>
  </object>
</interface>`

func get[T any](b *gtk.Builder, id string) T {
	object, err := b.GetObject(id)
	if err != nil {
		panic(err)
	}
	return object.(any).(T)
}

func main() {
	glib.FinalizerStrategy = func(f glib.Finalizer) { glib.IdleAdd(func() { f() }) }
	gtk.Init(nil)
	b, err := gtk.BuilderNew()
	if err != nil {
		panic(err)
	}
	if err := b.AddFromString(page); err != nil {
		panic(err)
	}
	window := get[*gtk.Window](b, "window")
	name, loud, answer := get[*gtk.Entry](b, "name"), get[*gtk.CheckButton](b, "loud"), get[*gtk.Label](b, "answer")
	get[*gtk.Button](b, "greet").Connect("clicked", func() {
		text, _ := name.GetText()
		if text = "Hello " + text + "."; loud.GetActive() {
			text += " HELLO!"
		}
		answer.SetText(text)
	})
	window.Connect("destroy", gtk.MainQuit)
	if len(os.Args) > 1 && os.Args[1] == "bad" {
		get[*gtk.Button](b, "bad").Show()
		glib.IdleAdd(func() { os.Stderr.WriteString("\n(window:1): Gtk-CRITICAL **: 10:00:00.000: made up\n") })
	}
	window.Present()
	gtk.Main()
}
