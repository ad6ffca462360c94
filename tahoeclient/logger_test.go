package tahoeclient_test

import (
	"context"
	"log/slog"
	"sync"
)

// lateLogger acts once, when the client says that it is about to try again:
// between reading a directory back and writing it anew.
type lateLogger struct {
	act   func()
	acted bool
	once  sync.Once
}

func (l *lateLogger) logger() *slog.Logger { return slog.New(l) }

func (l *lateLogger) Enabled(context.Context, slog.Level) bool { return true }
func (l *lateLogger) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lateLogger) WithGroup(string) slog.Handler            { return l }

func (l *lateLogger) Handle(context.Context, slog.Record) error {
	l.once.Do(func() {
		l.act()
		l.acted = true
	})
	return nil
}
