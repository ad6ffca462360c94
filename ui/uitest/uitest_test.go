package uitest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "uitest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "window")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// build makes the small window, once.
func build(t *testing.T) string {
	t.Helper()
	Require(t)
	if _, err := os.Stat(program); err != nil {
		if out, err := exec.Command("go", "build", "-o", program, "./testdata/window").CombinedOutput(); err != nil {
			t.Fatalf("building the window: %v\n%s", err, out)
		}
	}
	return program
}

func TestAPersonUsesAWindow(t *testing.T) {
	w := Start(t, build(t), Options{})
	w.CheckPage()
	w.Type("Name", "Ada")
	w.Press("Greet")
	w.See("Hello Ada.")
	w.Check("Loud", true)
	w.Press("Greet")
	w.See("HELLO!")
	w.Check("Loud", false)
	w.Press("Greet")
	w.Gone("HELLO!")
	if got := w.Read("Name", Text, Entry); got != "Ada" {
		t.Errorf("read %q", got)
	}
}

// What is pressed and typed goes the way of real keys and a real pointer.
func TestKeysAndPointer(t *testing.T) {
	w := Start(t, build(t), Options{})
	w.Focus("Name", Text, Entry)
	w.Write("Bo")
	w.Keys("Tab", "space") // Loud
	w.Keys("alt+g")
	w.See("Hello Bo. HELLO!")
	if x := w.Focused(); x == nil || x.Name != "Loud" && x.Name != "Greet" {
		t.Errorf("%+v has the keyboard", x)
	}
	w.Click(w.Find("Loud", CheckBox))
	w.Click(w.Find("Greet", Button))
	w.Gone("HELLO!")
}

func TestLargeTextAndAnotherLanguage(t *testing.T) {
	small := Start(t, build(t), Options{})
	large := Start(t, build(t), Options{TextScale: 1.5, Locale: "ar_EG", Dark: true, HighContrast: true})
	large.CheckPage()
	a, err := small.Find("Greet", Button).extents()
	b, berr := large.Find("Greet", Button).extents()
	if err != nil || berr != nil || b.Height <= a.Height {
		t.Errorf("text at 150 %% is not larger: %+v, %+v", a, b)
	}
	file := filepath.Join(t.TempDir(), "screen.png")
	large.Screenshot(file)
	if st, err := os.Stat(file); err != nil || st.Size() < 1000 {
		t.Errorf("the picture: %v", err)
	}
}

// recorder keeps the complaints of a test that is expected to fail.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestFaultsAreFound(t *testing.T) {
	r := &recorder{TB: t}
	w := Start(r, build(t), Options{Args: []string{"bad"}})
	w.await("it warned", func() bool { return strings.Contains(w.Output(), "made up") })
	w.CheckPage()
	w.noWarnings()
	all := strings.Join(r.errors, "\n")
	for _, want := range []string{"has no name", "larger than the screen", "made up"} {
		if !strings.Contains(all, want) {
			t.Errorf("nobody complained %q: %s", want, all)
		}
	}
	r.errors = nil
	w.Kill()
}
