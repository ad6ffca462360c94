package uitest

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// Companion is another program on the window's screen: what somebody drags
// from, or what has the clipboard. It takes orders and answers, a line each.
type Companion struct {
	w  *Window
	in io.Writer

	mu    sync.Mutex
	lines []string
}

// Beside starts a companion under that name. It ends with the test, and is
// nothing that a screen reader sees.
func (w *Window) Beside(program, name string) *Companion {
	w.t.Helper()
	cmd := exec.Command(program)
	cmd.Args = []string{name}
	cmd.Env = append(slices.Clone(w.cmd.Env), "NO_AT_BRIDGE=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd.Stderr = &w.stderr
	start(w.t, cmd)
	c := &Companion{w: w, in: in}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, s.Text())
			c.mu.Unlock()
		}
	}()
	w.eventually(name+" is ready", func() bool { return c.Heard("ready") > 0 })
	return c
}

// Heard is how often the companion said this.
func (c *Companion) Heard(line string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		if l == line {
			n++
		}
	}
	return n
}

// Tell gives an order and waits until the companion has said done.
func (c *Companion) Tell(order, done string) {
	c.w.t.Helper()
	before := c.Heard(done)
	if _, err := io.WriteString(c.in, order+"\n"); err != nil {
		c.w.t.Fatal(err)
	}
	c.w.eventually(done, func() bool { return c.Heard(done) > before })
}

// Drag drags what lies at x, y with a real pointer to the middle of the window
// and drops it there. The companion says taken when it has handed it over. A
// hand that is too quick for the two programs tries again, more slowly.
func (c *Companion) Drag(x, y int, taken string) {
	c.w.t.Helper()
	frame := c.w.frame()
	if frame == nil {
		c.w.t.Fatal("there is no window to drag to")
	}
	a, err := frame.extents()
	if err != nil {
		c.w.t.Fatal(err)
	}
	move := func(x, y int) []string { return []string{"mousemove", fmt.Sprint(x), fmt.Sprint(y)} }
	toX, toY := int(a.X+a.Width/2), int(a.Y+a.Height/2)
	pause := poll
	c.w.eventually(taken, func() bool {
		before := c.Heard(taken)
		wait := []string{"sleep", fmt.Sprint(pause.Seconds())}
		c.w.tool("xdotool", slices.Concat(move(x, y), []string{"mousedown", "1"}, move(x-12, y+6), wait, move(x-24, y+12), wait,
			move(toX+8, toY), wait, move(toX, toY), wait, []string{"mouseup", "1"})...)
		pause *= 2
		return c.w.soon(func() bool { return c.Heard(taken) > before }, time.Second)
	})
}

// soon is await that may end in vain.
func (w *Window) soon(ok func() bool, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(poll) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// Watch asks the window a small question again and again. What it returns ends
// that, and says how long the slowest answer took: for so long nothing moved,
// and no button could be pressed.
func (w *Window) Watch() (longest func() time.Duration) {
	w.t.Helper()
	frame := w.frame()
	if frame == nil {
		w.t.Fatal("there is no window to watch")
	}
	stop, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		var worst time.Duration
		for {
			select {
			case <-stop:
				result <- worst
				return
			case <-time.After(poll):
			}
			began := time.Now()
			w.property(frame.ref, "Accessible", "Name")
			worst = max(worst, time.Since(began))
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-result
	}
}

// Boxes are what the program put in front of its window, to be answered first.
func (w *Window) Boxes() (names []string) {
	for _, x := range w.Shown() {
		if x.Role == Dialog || x.Role == FileChooser || x.Role == Alert {
			names = append(names, x.Name)
		}
	}
	return names
}
