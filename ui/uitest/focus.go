package uitest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
)

// CheckFocus looks at where the keyboard is: on something that can be seen
// whole, and that looks different without it. It returns what that is.
func (w *Window) CheckFocus() *Widget {
	w.t.Helper()
	var x *Widget
	w.eventually("something has the keyboard", func() bool { x = w.Focused(); return x != nil })
	place, err := x.extents()
	frame := w.frame()
	if err != nil || frame == nil {
		w.t.Fatalf("where %q is: %v", x.Name, err)
	}
	if edge, err := frame.extents(); err != nil || !place.inside(edge) {
		w.t.Errorf("%q has the keyboard and cannot be seen: %+v", x.Name, place)
	}
	w.Keys("Tab")
	w.eventually(fmt.Sprintf("the keyboard has left %q", x.Name), func() bool { y := w.Focused(); return y != nil && y.ref != x.ref })
	without := w.picture(place)
	w.Keys("shift+Tab")
	w.eventually(fmt.Sprintf("the keyboard is on %q again, and one sees it", x.Name), func() bool {
		y := w.Focused()
		return y != nil && y.ref == x.ref && !bytes.Equal(without, w.picture(place))
	})
	return x
}

// picture is what that place of the screen looks like.
func (w *Window) picture(a area) []byte {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "import", "-window", "root", "-crop", fmt.Sprintf("%dx%d+%d+%d", a.Width, a.Height, a.X, a.Y), "rgb:-")
	cmd.Env = append(cmd.Environ(), "DISPLAY="+w.screen.display)
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		w.t.Fatalf("a picture of the screen: %v", err)
	}
	return out
}
