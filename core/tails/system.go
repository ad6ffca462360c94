package tails

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	storageName = "org.boum.tails.PersistentStorage"
	storagePath = "/org/boum/tails/PersistentStorage"
)

// maxFile bounds what is read of any file of the system.
const maxFile = 1 << 20

// bus asks Tails' service, if there is one.
type bus struct{ conn *dbus.Conn }

func connect(ctx context.Context) bus {
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return bus{}
	}
	return bus{conn}
}

func (b bus) close() {
	if b.conn != nil {
		b.conn.Close()
	}
}

// ask reads a property that is true or false. The bus lets a user call Get and
// nothing else there: no GetAll, no introspection.
func (b bus) ask(ctx context.Context, path, iface, property string) State {
	if b.conn == nil {
		return Unknown
	}
	var value dbus.Variant
	err := b.conn.Object(storageName, dbus.ObjectPath(path)).
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, iface, property).Store(&value)
	yes, ok := value.Value().(bool)
	switch {
	case err != nil || !ok:
		return Unknown
	case yes:
		return On
	}
	return Off
}

// mountPoints are the places where something is mounted.
func mountPoints() map[string]bool {
	points := make(map[string]bool)
	for line := range strings.Lines(readSome(onDisk("/proc/self/mountinfo"))) {
		// The fifth field; see proc_pid_mountinfo(5). Spaces and the like are
		// written as octal numbers.
		if fields := strings.Fields(line); len(fields) > 4 {
			points[octal.Replace(fields[4])] = true
		}
	}
	return points
}

var octal = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func readSome(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return ""
	}
	return string(b)
}
