package uitest

// drawn are the kinds that have ink of their own: where two of them meet,
// neither can be read.
var drawn = map[Role]bool{
	Label: true, Button: true, CheckBox: true, RadioButton: true, ToggleButton: true, ComboBox: true,
	Text: true, Password: true, Entry: true, SpinButton: true, ProgressBar: true,
}

// CheckLook looks for what a picture shows at a glance and CheckPage walks past:
// one thing drawn over another, and a page with nothing on it.
func (w *Window) CheckLook() {
	w.t.Helper()
	type placed struct {
		*Widget
		area
		within []int // those it is in, by their place in the list
		pane   int   // the innermost that scrolls; -1: none
	}
	shown := w.Shown()
	var all []placed
	var path []int
	for i, x := range shown {
		for len(path) > 0 && shown[path[len(path)-1]].depth >= x.depth {
			path = path[:len(path)-1]
		}
		p := placed{Widget: x, within: append([]int(nil), path...), pane: -1}
		for _, up := range path {
			if shown[up].Role == ScrollPane {
				p.pane = up
			}
		}
		path = append(path, i)
		if !drawn[x.Role] || !x.can("Component") {
			continue
		}
		var err error
		if p.area, err = x.extents(); err != nil || p.Width <= 1 || p.Height <= 1 {
			continue // gone meanwhile
		}
		for _, other := range all {
			inIt := false
			for _, up := range p.within {
				inIt = inIt || shown[up] == other.Widget
			}
			if !inIt && p.pane == other.pane && p.overlaps(other.area) {
				w.t.Errorf("%q of kind %d at %+v is drawn over %q of kind %d at %+v", p.Name, p.Role, p.area, other.Name, other.Role, other.area)
			}
		}
		all = append(all, p)
	}
	if len(all) < 3 {
		w.t.Errorf("the page is empty:\n%s", w.Tree())
	}
}

// overlaps tells of two places whether they share more than their edges.
func (a area) overlaps(b area) bool {
	const edge = 2
	return a.X+edge < b.X+b.Width && b.X+edge < a.X+a.Width && a.Y+edge < b.Y+b.Height && b.Y+edge < a.Y+a.Height
}
