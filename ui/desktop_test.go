package ui_test

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/gotk3/gotk3/gdk"
	"github.com/gotk3/gotk3/glib"
	"github.com/gotk3/gotk3/gtk"
)

// desktop is the name under which this test binary plays the desktop beside the
// window: a square that a file is dragged from, and whatever has the clipboard.
const desktop = "desktop"

// The square is on the right of a screen that is wider than usual.
const (
	desktopWidth, desktopHeight = 1160, 600
	squareX, squareY            = 1100, 40
)

// playDesktop takes orders on its standard input: “drag FILE” and “copy FILE”
// put what is in the file there, as it is.
func playDesktop() {
	runtime.LockOSThread()
	gtk.Init(nil)
	window, err := gtk.WindowNew(gtk.WINDOW_TOPLEVEL)
	complain(err)
	square, err := gtk.EventBoxNew()
	complain(err)
	list, err := gtk.TargetEntryNew("text/uri-list", gtk.TARGET_OTHER_APP, 0)
	complain(err)
	clipboard, err := gtk.ClipboardGet(gdk.SELECTION_CLIPBOARD)
	complain(err)
	kind := gdk.GdkAtomIntern("text/uri-list", false)
	var dragged []byte
	square.DragSourceSet(gdk.BUTTON1_MASK, []gtk.TargetEntry{*list}, gdk.ACTION_COPY)
	square.Connect("drag-data-get", func(_ *gtk.EventBox, _ *gdk.DragContext, data *gtk.SelectionData) {
		data.SetData(kind, dragged)
		fmt.Println("taken")
	})
	window.Add(square)
	window.Move(squareX-20, squareY-20)
	window.Resize(40, 40)
	window.Connect("map-event", func() { fmt.Println("ready") })
	window.ShowAll()
	go func() {
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
			verb, file, _ := strings.Cut(s.Text(), " ")
			content, err := os.ReadFile(file)
			complain(err)
			glib.IdleAdd(func() {
				switch verb {
				case "drag":
					dragged = content
				case "copy":
					clipboard.SetText(string(content))
				}
				fmt.Println("done")
			})
		}
		glib.IdleAdd(gtk.MainQuit)
	}()
	gtk.Main()
	os.Exit(0)
}

func complain(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "panic: the desktop:", err)
		os.Exit(1)
	}
}
