package uitest

// area is a place on the screen, in pixels.
type area struct{ X, Y, Width, Height int32 }

func (a area) inside(b area) bool {
	return a.X >= b.X && a.Y >= b.Y && a.X+a.Width <= b.X+b.Width && a.Y+a.Height <= b.Y+b.Height
}

const onScreen uint32 = 0

func (x *Widget) extents() (a area, err error) {
	err = x.call("Component.GetExtents", &a, onScreen)
	return a, err
}

// CheckPage looks at everything that is shown now: what can be used has a name
// for a screen reader, nothing is cut off by the edge of the window, and the
// window fits on the screen.
func (w *Window) CheckPage() {
	w.t.Helper()
	screen := area{Width: int32(w.o.Width), Height: int32(w.o.Height)}
	var frame area
	for _, x := range w.Shown() {
		if x.Role == Frame || x.Role == Dialog {
			frame, _ = x.extents()
			if !frame.inside(screen) {
				w.t.Errorf("the window %q is larger than the screen: %+v", x.Name, frame)
			}
			continue
		}
		if x.can("Action") && x.Name == "" && !unnamed[x.Role] {
			w.t.Errorf("something of kind %d that acts has no name:\n%s", x.Role, w.Tree())
		}
		if x.scrolled || !x.can("Component") {
			continue // it can be scrolled to
		}
		a, err := x.extents()
		if err != nil || a.Width <= 0 || a.Height <= 0 {
			continue // gone meanwhile
		}
		if !a.inside(frame) {
			w.t.Errorf("%q of kind %d is cut off: %+v of %+v", x.Name, x.Role, a, frame)
		}
	}
}

// unnamed act and need no name: a scroll bar is used through what it scrolls, a
// cell is read as its row.
var unnamed = map[Role]bool{ScrollBar: true, TableCell: true, ListItem: true, ScrollPane: true, Label: true}
