package uitest

import (
	"fmt"
	"os"
	"strings"
)

// Memory is how many bytes of it the program has at the moment.
func (w *Window) Memory() (bytes int64) {
	w.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &bytes); n == 1 {
			return bytes << 10
		}
	}
	w.t.Fatal("the system does not say how much memory the program has")
	return 0
}
