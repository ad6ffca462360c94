package uitest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// A window is looked at often at first, and seldom when it takes its time: each
// look costs it some hundred answers.
const (
	poll     = 20 * time.Millisecond
	slowPoll = 300 * time.Millisecond
)

// await waits for ok, and fails the test when it does not come.
func (w *Window) await(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(w.Patience)
	for pause := poll; !ok(); pause = min(pause*3/2, slowPoll) {
		if time.Now().After(deadline) {
			w.t.Fatalf("still not: %s", what)
		}
		time.Sleep(pause)
	}
}

// eventually is await for what only a living program can do.
func (w *Window) eventually(what string, ok func() bool) {
	w.t.Helper()
	w.await(what, func() bool {
		select {
		case <-w.ended:
			w.t.Fatalf("the program has ended (%v) before: %s\n%s", w.err, what, w.Output())
		default:
		}
		return ok()
	})
}

// Until waits for something that is not on the screen.
func (w *Window) Until(what string, ok func() bool) {
	w.t.Helper()
	w.eventually(what, ok)
}

// Find waits for a widget of that kind and name and returns it.
func (w *Window) Find(name string, roles ...Role) *Widget {
	w.t.Helper()
	var found *Widget
	w.eventually(fmt.Sprintf("a widget %q of kind %v shows", name, roles), func() bool {
		found = w.now(name, roles...)
		return found != nil
	})
	return found
}

func (w *Window) now(name string, roles ...Role) *Widget {
	for _, x := range w.Shown() {
		if x.Name != name {
			continue
		}
		for _, r := range roles {
			if x.Role == r {
				return x
			}
		}
	}
	return nil
}

// Shows reports whether such a widget is on the screen now.
func (w *Window) Shows(name string, roles ...Role) bool { return w.now(name, roles...) != nil }

// ready is Find for a widget that can be used.
func (w *Window) ready(name string, roles ...Role) *Widget {
	w.t.Helper()
	var found *Widget
	w.eventually(fmt.Sprintf("a widget %q of kind %v can be used", name, roles), func() bool {
		found = w.now(name, roles...)
		return found != nil && found.Sensitive()
	})
	return found
}

// Press presses a button as soon as it can be pressed.
func (w *Window) Press(name string) {
	w.t.Helper()
	w.do(w.ready(name, Button, ToggleButton, Link, MenuItem))
}

// Check sets a check box, radio or toggle button.
func (w *Window) Check(name string, on bool) {
	w.t.Helper()
	x := w.ready(name, CheckBox, RadioButton, ToggleButton)
	if x.Checked() == on {
		return
	}
	w.do(x)
	w.eventually(fmt.Sprintf("%q is switched", name), func() bool {
		x := w.now(name, CheckBox, RadioButton, ToggleButton)
		return x == nil || x.Checked() == on
	})
}

func (w *Window) do(x *Widget) {
	w.t.Helper()
	var ok bool
	if err := x.call("Action.DoAction", &ok, int32(0)); err != nil || !ok {
		w.t.Fatalf("pressing %q: %v", x.Name, err)
	}
}

// Type puts text into the entry of that name, instead of what is there.
func (w *Window) Type(name, text string) {
	w.t.Helper()
	x := w.ready(name, Text, Password, Entry, SpinButton)
	var ok bool
	if err := x.call("EditableText.SetTextContents", &ok, text); err != nil || !ok {
		w.t.Fatalf("typing into %q: %v", name, err)
	}
}

// Choose chooses an item of a combo box.
func (w *Window) Choose(name string, item int) {
	w.t.Helper()
	w.selectChild(w.ready(name, ComboBox).ref, item)
}

// Select selects a row of a list.
func (w *Window) Select(name string, row int) {
	w.t.Helper()
	w.selectChild(w.ready(name, List, ListBox).ref, row)
}

func (w *Window) selectChild(ref reference, i int) {
	w.t.Helper()
	var ok bool
	if err := w.call(ref, "Selection.SelectChild", &ok, int32(i)); err != nil || !ok {
		w.t.Fatalf("selecting number %d: %v", i, err)
	}
}

// Read returns what the widget of that name says.
func (w *Window) Read(name string, roles ...Role) string {
	w.t.Helper()
	return w.Find(name, roles...).text()
}

// See waits until each text is on the screen, wherever.
func (w *Window) See(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		w.eventually(fmt.Sprintf("%q is on the screen", text), func() bool { return strings.Contains(w.Text(), text) })
	}
}

// SeeOne waits until one of the texts is on the screen and returns it.
func (w *Window) SeeOne(texts ...string) (seen string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("one of %q is on the screen", texts), func() bool {
		shown := w.Text()
		for _, text := range texts {
			if strings.Contains(shown, text) {
				seen = text
				return true
			}
		}
		return false
	})
	return seen
}

// Gone waits until a text is not on the screen.
func (w *Window) Gone(text string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%q is gone", text), func() bool { return !strings.Contains(w.Text(), text) })
}

// Focus gives the keyboard to a widget.
func (w *Window) Focus(name string, roles ...Role) {
	w.t.Helper()
	var ok bool
	if err := w.ready(name, roles...).call("Component.GrabFocus", &ok); err != nil || !ok {
		w.t.Fatalf("giving %q the keyboard: %v", name, err)
	}
}

// Focused is the widget the keyboard acts on; nil for none.
func (w *Window) Focused() *Widget {
	for _, x := range w.Shown() {
		if x.Focused() {
			return x
		}
	}
	return nil
}

// Keys presses real keys, by X's names: "Tab", "Return", "alt+b".
func (w *Window) Keys(names ...string) {
	w.t.Helper()
	w.tool("xdotool", append([]string{"key", "--clearmodifiers"}, names...)...)
}

// Write types text with real keys.
func (w *Window) Write(text string) {
	w.t.Helper()
	w.tool("xdotool", "type", "--delay", "1", text)
}

// Click clicks the middle of a widget with a real pointer.
func (w *Window) Click(x *Widget) {
	w.t.Helper()
	area, err := x.extents()
	if err != nil {
		w.t.Fatalf("where %q is: %v", x.Name, err)
	}
	w.tool("xdotool", "mousemove", fmt.Sprint(area.X+area.Width/2), fmt.Sprint(area.Y+area.Height/2), "click", "1")
}

// ScrollDown turns the wheel over the middle of the window until its end.
func (w *Window) ScrollDown() {
	w.t.Helper()
	frame := w.frame()
	if frame == nil {
		w.t.Fatal("there is no window to scroll in")
	}
	a, err := frame.extents()
	if err != nil {
		w.t.Fatal(err)
	}
	w.tool("xdotool", "mousemove", fmt.Sprint(a.X+a.Width/2), fmt.Sprint(a.Y+a.Height/2), "click", "--repeat", "30", "--delay", "5", "5")
}

// tool runs a program on the window's display.
func (w *Window) tool(name string, args ...string) {
	w.t.Helper()
	if err := w.onDisplay(name, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *Window) onDisplay(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(cmd.Environ(), "DISPLAY="+w.screen.display)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// Toggle switches the check box in the row of a tree, by the row's text.
func (w *Window) Toggle(row string) {
	w.t.Helper()
	var box *Widget
	w.eventually(fmt.Sprintf("the row %q has a check box", row), func() bool {
		box = nil
		for _, x := range w.Shown() {
			if x.Role == TableCell && x.Name == row {
				return box != nil
			}
			if x.Role == TableCell && x.can("Action") && x.Name == "" {
				box = x // it stands before its row's text
			}
		}
		return false
	})
	w.do(box)
}

// ChooseFile answers the desktop's question for a file or folder that is there,
// as somebody who types its path; accept is the button that ends it.
func (w *Window) ChooseFile(path, accept string) {
	w.t.Helper()
	w.eventually("a file is asked for", func() bool { return w.chooser() != nil })
	w.Keys("slash")
	w.answer(path, accept)
}

// SaveFile answers the desktop's question where to save a file.
func (w *Window) SaveFile(path, accept string) {
	w.t.Helper()
	w.eventually("a name is asked for", func() bool { return w.chooser() != nil })
	w.answer(path, accept)
}

func (w *Window) answer(path, accept string) {
	w.t.Helper()
	w.TypePath(path)
	w.Press(accept)
	w.eventually("the file was chosen", func() bool { return w.chooser() == nil })
}

// TypePath types a path where the desktop asks for one, at once: letter by
// letter the desktop would complete it meanwhile.
func (w *Window) TypePath(path string) {
	w.t.Helper()
	var entry *Widget
	w.eventually("there is a place to type a path", func() bool {
		entry = w.Focused()
		return entry != nil && entry.Role == Text && entry.text() != ""
	})
	var ok bool
	if err := entry.call("EditableText.SetTextContents", &ok, path); err != nil || !ok {
		w.t.Fatalf("typing a path: %v", err)
	}
}

func (w *Window) chooser() *Widget {
	for _, x := range w.Shown() {
		if x.Role == FileChooser {
			return x
		}
	}
	return nil
}
