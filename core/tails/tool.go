package tails

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Tool is one of Tails' own tools: the name of its desktop entry.
type Tool string

// The tools that change what we may not.
const (
	PersistentStorage Tool = "org.boum.tails.PersistentStorage.desktop"
	TorConnection     Tool = "tca.desktop"
)

// ErrNoTool: the tool is not on this computer.
var ErrNoTool = errors.New("this tool is not on this computer")

// Open starts the tool as the desktop's menu would. It returns when the tool
// was started; ctx bounds that.
func (t Tool) Open(ctx context.Context) error {
	entry := t.entry()
	if entry == "" {
		return fmt.Errorf("%w: %s", ErrNoTool, t)
	}
	if out, err := exec.CommandContext(ctx, "gio", "launch", entry).CombinedOutput(); err != nil {
		return fmt.Errorf("opening %s: %w: %.200s", t, err, out)
	}
	return nil
}

// entry finds the tool's desktop entry where the system keeps them. The user's
// own directory is left out: what stands there could be anything.
func (t Tool) entry() string {
	for _, dir := range []string{"/usr/local/share", "/usr/share"} {
		path := onDisk(filepath.Join(dir, "applications", string(t)))
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path
		}
	}
	return ""
}
