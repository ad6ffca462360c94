package uitest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Close closes the window with the button in its corner, and returns when it is
// not on the screen any more.
func (w *Window) Close() {
	w.t.Helper()
	w.Press("Close")
	w.await("the window is closed", func() bool { return w.frame() == nil })
}

// Open starts the program again, as somebody does who finds no window, and
// returns when the first one has its window on the screen: the second has to
// leave everything to it.
func (w *Window) Open() {
	w.t.Helper()
	again := exec.CommandContext(w.t.Context(), w.cmd.Path)
	again.Args, again.Env, again.SysProcAttr = w.cmd.Args, w.cmd.Env, dieWithUs()
	if out, err := again.CombinedOutput(); err != nil {
		w.t.Fatalf("starting the program again: %v\n%s", err, out)
	}
	w.eventually("the window shows again", func() bool { return w.frame() != nil })
}

// Processes are the program's own, itself and all below it, by their numbers.
func (w *Window) Processes() []int {
	w.t.Helper()
	below := make(map[int][]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		// "7 (name) S 1 …": a name may hold anything.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parent, _ := strconv.Atoi(fields[1])
		below[parent] = append(below[parent], pid)
	}
	all := []int{w.cmd.Process.Pid}
	for i := 0; i < len(all); i++ {
		all = append(all, below[all[i]]...)
	}
	return all
}

// WaitGone waits until none of the processes runs.
func (w *Window) WaitGone(processes []int) {
	w.t.Helper()
	w.await("all that the program started has ended", func() bool {
		return !slices.ContainsFunc(processes, func(pid int) bool {
			status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
			return err == nil && !strings.Contains(string(status), "\nState:\tZ") // ended, and nobody asked how
		})
	})
}
