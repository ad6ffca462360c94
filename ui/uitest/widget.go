package uitest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Role is what a widget is to a screen reader. The numbers are those of
// AT-SPI; its names of them changed between releases.
type Role uint32

// The roles our windows use.
const (
	Alert        Role = 2
	CheckBox     Role = 7
	ComboBox     Role = 11
	Dialog       Role = 16
	FileChooser  Role = 19
	Frame        Role = 23
	Label        Role = 29
	List         Role = 31
	ListItem     Role = 32
	MenuItem     Role = 35
	Password     Role = 40
	ProgressBar  Role = 42
	Button       Role = 43
	RadioButton  Role = 44
	ScrollBar    Role = 48
	ScrollPane   Role = 49
	SpinButton   Role = 52
	TableCell    Role = 56
	Text         Role = 61
	ToggleButton Role = 62
	TreeTable    Role = 66
	Entry        Role = 79
	Link         Role = 88
	ListBox      Role = 98
)

// Bits of a widget's state.
const (
	stateActive    = 1
	stateChecked   = 4
	stateFocused   = 12
	stateSensitive = 24
	stateShowing   = 25
	stateVisible   = 30
)

const (
	registry = "org.a11y.atspi.Registry"
	rootPath = "/org/a11y/atspi/accessible/root"
	prefix   = "org.a11y.atspi."

	// callTime bounds each question: a window that hangs never answers.
	callTime = 10 * time.Second

	relationLabelledBy = 2
)

// reference is how AT-SPI names an object.
type reference struct {
	Bus  string
	Path dbus.ObjectPath
}

// Widget is something that was shown when it was looked for.
type Widget struct {
	Role Role
	Name string // without mnemonics; of an entry that of its label

	w          *Window
	ref        reference
	state      [2]uint32
	interfaces []string
	depth      int
	scrolled   bool // inside something that scrolls
}

func (x *Widget) is(bit int) bool { return x.state[bit/32]&(1<<(bit%32)) != 0 }

// Sensitive reports whether the widget can be used.
func (x *Widget) Sensitive() bool { return x.is(stateSensitive) }

// Checked reports whether a check box, radio or toggle button is on.
func (x *Widget) Checked() bool { return x.is(stateChecked) }

// Focused reports whether the keyboard acts on the widget.
func (x *Widget) Focused() bool { return x.is(stateFocused) }

func (x *Widget) can(what string) bool { return slices.Contains(x.interfaces, prefix+what) }

// call asks a widget. It fails when the widget is gone, too.
func (x *Widget) call(method string, result any, args ...any) error {
	return x.w.call(x.ref, method, result, args...)
}

func (w *Window) call(ref reference, method string, result any, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	call := w.screen.a11y.Object(ref.Bus, ref.Path).CallWithContext(ctx, prefix+method, 0, args...)
	if result == nil || call.Err != nil {
		return call.Err
	}
	return call.Store(result)
}

func (w *Window) property(ref reference, iface, name string) (value dbus.Variant, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	err = w.screen.a11y.Object(ref.Bus, ref.Path).
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, prefix+iface, name).Store(&value)
	return value, err
}

func (w *Window) children(ref reference) (list []reference) {
	w.call(ref, "Accessible.GetChildren", &list)
	return list
}

// look reads one widget; nil if it is gone or not showing.
func (w *Window) look(ref reference) *Widget {
	x := &Widget{w: w, ref: ref}
	var state []uint32
	if x.call("Accessible.GetState", &state) != nil || len(state) != 2 {
		return nil
	}
	x.state = [2]uint32(state)
	var role uint32
	if x.call("Accessible.GetRole", &role) != nil || x.call("Accessible.GetInterfaces", &x.interfaces) != nil {
		return nil
	}
	x.Role = Role(role)
	name, err := w.property(ref, "Accessible", "Name")
	if err != nil {
		return nil
	}
	x.Name, _ = name.Value().(string)
	x.Name = unmarked.Replace(x.Name)
	if x.Name == "" && x.can("Action") {
		x.Name = w.label(ref)
	}
	return x
}

// unmarked takes the marks away that say where a text turns its direction:
// nobody sees them.
var unmarked = strings.NewReplacer("\u2068", "", "\u2069", "")

// label is the text of the label that belongs to a widget.
func (w *Window) label(ref reference) string {
	var relations []struct {
		Kind    uint32
		Targets []reference
	}
	w.call(ref, "Accessible.GetRelationSet", &relations)
	for _, r := range relations {
		if r.Kind == relationLabelledBy && len(r.Targets) > 0 {
			name, _ := w.property(r.Targets[0], "Accessible", "Name")
			text, _ := name.Value().(string)
			return text
		}
	}
	return ""
}

// Shown is every widget that is on the screen now, a parent before its
// children.
func (w *Window) Shown() (list []*Widget) {
	for _, app := range w.children(reference{registry, rootPath}) {
		for _, top := range w.children(app) {
			list = w.walk(list, top, 0, false)
		}
	}
	return list
}

// maxChildren keeps a long list from being read to its end each time: what is
// shown of it is at its beginning, or was scrolled to.
const maxChildren = 400

func (w *Window) walk(list []*Widget, ref reference, depth int, scrolled bool) []*Widget {
	x := w.look(ref)
	if x == nil || !x.is(stateShowing) || !x.is(stateVisible) {
		return list
	}
	x.depth, x.scrolled = depth, scrolled
	list = append(list, x)
	children := w.children(ref)
	for _, child := range children[:min(len(children), maxChildren)] {
		list = w.walk(list, child, depth+1, scrolled || x.Role == ScrollPane)
	}
	return list
}

// frame is the program's window, once it shows.
func (w *Window) frame() *Widget {
	for _, x := range w.Shown() {
		if x.Role == Frame || x.Role == Dialog {
			return x
		}
	}
	return nil
}

// text is what a widget says: its name, or what is typed into it.
func (x *Widget) text() string {
	if x.can("Text") && x.Role != Label {
		var text string
		if x.call("Text.GetText", &text, int32(0), int32(-1)) == nil && text != "" {
			return unmarked.Replace(text)
		}
	}
	return x.Name
}

// Text is everything that is shown as one text, a line for each widget.
func (w *Window) Text() string {
	var lines []string
	for _, x := range w.Shown() {
		if s := x.text(); s != "" {
			lines = append(lines, s)
		}
	}
	return strings.Join(lines, "\n")
}
