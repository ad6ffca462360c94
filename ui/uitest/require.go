package uitest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// programs are what a window needs to be tested, by Debian package.
var programs = map[string]string{
	"Xvfb": "xvfb", "dbus-daemon": "dbus-daemon", "xdotool": "xdotool", "import": "imagemagick", "localedef": "locales",
}

// atspi is the service that makes the accessibility bus.
const atspi = "/usr/share/dbus-1/services/org.a11y.Bus.service"

// Available says what is missing for testing a window.
func Available() error {
	var missing []error
	for name, pkg := range programs {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, fmt.Errorf("%s (package %s) is not installed", name, pkg))
		}
	}
	if _, err := os.Stat(atspi); err != nil {
		missing = append(missing, errors.New("the accessibility bus (package at-spi2-core) is not installed"))
	}
	return errors.Join(missing...)
}

// Require skips the test with -short or where a window cannot be tested.
// HIDDEN_BACKUP_REQUIRE_WINDOW=1 turns what is missing into a failure.
func Require(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real window, which -short leaves out")
	}
	if err := Available(); err != nil {
		if os.Getenv("HIDDEN_BACKUP_REQUIRE_WINDOW") == "1" {
			t.Fatalf("a real window is required here: %v", err)
		}
		t.Skipf("needs a real window: %v", err)
	}
}
