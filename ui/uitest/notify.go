package uitest

import (
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Notification is what the desktop was asked to show.
type Notification struct{ Title, Text string }

// Notifications is a desktop's place for them. It keeps all.
type Notifications struct {
	bus *dbus.Conn

	mu  sync.Mutex
	all []Notification
}

// Notifications starts such a place on the window's session bus. Without, there
// is none: nobody shows what the program has to tell.
func (w *Window) Notifications() *Notifications {
	w.t.Helper()
	n := &Notifications{bus: dial(w.t, w.screen.session)}
	if err := n.bus.ExportMethodTable(map[string]any{
		"Notify":            n.notify,
		"GetCapabilities":   func() ([]string, *dbus.Error) { return []string{"body"}, nil },
		"CloseNotification": func(uint32) *dbus.Error { return nil },
		"GetServerInformation": func() (name, vendor, version, spec string, _ *dbus.Error) {
			return "test", "test", "1", "1.2", nil
		},
	}, "/org/freedesktop/Notifications", "org.freedesktop.Notifications"); err != nil {
		w.t.Fatal(err)
	}
	got, err := n.bus.RequestName("org.freedesktop.Notifications", dbus.NameFlagDoNotQueue)
	if err != nil || got != dbus.RequestNameReplyPrimaryOwner {
		w.t.Fatalf("notifications are somebody else's: %v, %v", got, err)
	}
	return n
}

func (n *Notifications) notify(_ string, _ uint32, _, title, text string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, Notification{title, text})
	return uint32(len(n.all)), nil
}

// All are those so far, in their order.
func (n *Notifications) All() []Notification {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

// Close takes the place away.
func (n *Notifications) Close() { n.bus.Close() }
